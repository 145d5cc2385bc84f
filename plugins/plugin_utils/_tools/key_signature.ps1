# Signs bytes with the private key of a certificate in a store, in a process of its own: a provider may hang, or end its process.
# It travels as an argument of powershell.exe (see key_signature.py): ASCII, no double quotes, no backslashes, remarks in lines of their own.
# Result: one line of stage, HRESULT, message and signature; exit code 0 for a signature and 1 for none. Works on Windows PowerShell 5.1 (.NET Framework 4.6.2) and PowerShell 7.
param([string] $StoreName, [string] $Location, [string] $Thumbprint, [string] $Data)
if ($ExecutionContext.SessionState.LanguageMode -ne 'FullLanguage') { 'codesign-key-signature stage=language code= message= signature='; exit 1 }
$ErrorActionPreference = 'Stop'
$stage, $code, $message, $signature = 'store', '', '', ''
try {
    $bytes = [byte[]]@(for ($at = 0; $at -lt $Data.Length; $at += 2) { [System.Convert]::ToByte($Data.Substring($at, 2), 16) })
    # No New-Object: it lies in a module, which 5.1 does not find under a PowerShell 7 that started it.
    $where = [System.Security.Cryptography.X509Certificates.StoreLocation]$Location
    $store = [System.Security.Cryptography.X509Certificates.X509Store]::new($StoreName, $where)
    $store.Open([System.Security.Cryptography.X509Certificates.OpenFlags]'ReadOnly, OpenExistingOnly, IncludeArchived')
    $stage = 'certificate'
    $found = $store.Certificates.Find([System.Security.Cryptography.X509Certificates.X509FindType]::FindByThumbprint, $Thumbprint, $false)
    if ($found.Count -gt 0) {
        $stage = 'algorithm'
        $certificate = $found[0]
        $sha256 = [System.Security.Cryptography.HashAlgorithmName]::SHA256
        # Extension methods: PowerShell knows them by their class only.
        if ($certificate.PublicKey.Oid.Value -eq '1.2.840.113549.1.1.1') {
            $stage = 'key'
            $rsa = [System.Security.Cryptography.X509Certificates.RSACertificateExtensions]::GetRSAPrivateKey($certificate)
            if ($null -ne $rsa) {
                $stage = 'sign'
                $signature = [System.Convert]::ToBase64String($rsa.SignData($bytes, $sha256, [System.Security.Cryptography.RSASignaturePadding]::Pkcs1))
                $stage = 'signed'
            }
        }
        elseif ($certificate.PublicKey.Oid.Value -eq '1.2.840.10045.2.1') {
            $stage = 'key'
            $ecdsa = [System.Security.Cryptography.X509Certificates.ECDsaCertificateExtensions]::GetECDsaPrivateKey($certificate)
            if ($null -ne $ecdsa) {
                $stage = 'sign'
                $signature = [System.Convert]::ToBase64String($ecdsa.SignData($bytes, $sha256))
                $stage = 'signed'
            }
        }
    }
}
catch {
    $problem = $_.Exception
    while ($problem.InnerException) { $problem = $problem.InnerException }
    $code = '{0:x8}' -f $problem.HResult
    $message = [System.Convert]::ToBase64String([System.Text.Encoding]::UTF8.GetBytes($problem.Message))
}
# Not the pipeline: it breaks long lines. The empty line ends what a provider may have written.
[System.Console]::Out.WriteLine()
[System.Console]::Out.WriteLine(('codesign-key-signature stage={0} code={1} message={2} signature={3}' -f $stage, $code, $message, $signature))
if ($stage -ne 'signed') { exit 1 }
