// SPDX-License-Identifier: MIT
using System.Security.Cryptography.X509Certificates;

namespace PerfCache.Cli;

/// <summary>Whose certificates are believed, for both ends of TLS.</summary>
internal static class CertificateTrust
{
    /// <summary>Believes what one authority has signed, and nobody else.</summary>
    /// <param name="file">The authority's certificate (PEM).</param>
    /// <exception cref="IOException">The file cannot be read.</exception>
    /// <exception cref="System.Security.Cryptography.CryptographicException">It has no certificate.</exception>
    public static X509ChainPolicy In(string file)
    {
        X509ChainPolicy policy = new()
        {
            TrustMode = X509ChainTrustMode.CustomRootTrust,
            RevocationMode = X509RevocationMode.NoCheck,
        };
        policy.CustomTrustStore.ImportFromPemFile(file);
        return policy;
    }
}
