# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Sphinx's settings for the site that `make docs` builds (scripts/docsite.py lays its sources)."""

from __future__ import annotations

project = "cloudhsm.codesign"
author = "cloudhsm.codesign contributors"
html_title = "cloudhsm.codesign"

extensions = ["myst_parser", "sphinx_antsibull_ext"]
source_suffix = {".rst": "restructuredtext", ".md": "markdown"}
# The role common is no user's.
exclude_patterns = ["roles/common.md"]
myst_heading_anchors = 4
myst_enable_extensions = ["fieldlist"]
suppress_warnings = ["myst.header"]
nitpicky = True
# Pages of Ansible's own site, which is not asked.
nitpick_ignore_regex = [
    (
        "std:ref",
        r"(action|callback|lookup)_plugins|common_return_values|ansible_configuration_settings|ansible_collections\.ansible\..*",
    )
]

html_theme = "furo"
html_static_path = ["_static"]
html_css_files = ["site.css"]
html_copy_source = False
html_show_sphinx = False
html_show_copyright = False
html_theme_options = {"top_of_page_buttons": []}
highlight_language = "none"
# Its colours are the theme's, light or dark: site.css.
antsibull_ext_color_scheme = "none"
