#!/bin/sh
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
# What each of the jobs runs: signs what lies in dist, into signed, and checks the sums. INVENTORY names another inventory than the folder "inventory".
# The vault's password is in VAULT_PASSWORD, if there is a vault: it stands in no file and in no argument. Ansible runs a small script that says it.
set -eu
asked=""
if [ -n "${VAULT_PASSWORD:-}" ]; then
    asked=$(mktemp)
    trap 'rm -f "$asked"' EXIT
    printf '#!/bin/sh\nprintf "%%s\\n" "$VAULT_PASSWORD"\n' > "$asked"
    chmod 700 "$asked"
    export ANSIBLE_VAULT_PASSWORD_FILE="$asked"
fi
ansible-playbook cloudhsm.codesign.sign_local -i "${INVENTORY:-inventory}" "$@" \
    -e '{"codesign_local_files": ["dist/**"], "codesign_local_target": "signed", "codesign_sign_unsignable": "skip"}'
cd signed
sha256sum --check --strict --quiet SHA256SUMS
