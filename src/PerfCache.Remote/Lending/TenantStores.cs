// SPDX-License-Identifier: MIT
using PerfCache.Items;
using PerfCache.Memory;

namespace PerfCache.Remote.Lending;

/// <summary>A bound of memory for whoever proves to be somebody.</summary>
/// <param name="Identity"><c>uid:N</c> of a Unix socket's peer, <c>user:NAME</c> of a login, <c>tls:NAME</c> of a
/// certificate.</param>
/// <param name="Bytes">What he may have out, in bytes; taken from the lender's memory.</param>
public sealed record TenantQuota(string Identity, long Bytes);

/// <summary>
/// The stores of a lender: one for each identity with a quota, and one for everybody else. Who has a store of his own
/// sees no other's keys and evicts nobody but himself.
/// </summary>
internal sealed class TenantStores : IDisposable
{
    private readonly Dictionary<string, LendableStore> _byIdentity = new(StringComparer.Ordinal);

    internal TenantStores(
        ItemStoreOptions options, IReadOnlyList<TenantQuota> quotas, LendingOptions lending, MemoryMeter meter)
    {
        long rest = options.CapacityBytes - quotas.Sum(quota => quota.Bytes);
        try
        {
            Default = new LendableStore(options with { CapacityBytes = rest }, lending, meter);
            foreach (TenantQuota quota in quotas)
            {
                LendableStore store = new(options with { CapacityBytes = quota.Bytes }, lending, meter);
                if (_byIdentity.TryAdd(quota.Identity, store)) continue;
                store.Dispose();
                throw new ArgumentException($"lender: two quotas for {quota.Identity}; give one");
            }
        }
        catch
        {
            Dispose();
            throw;
        }
    }

    /// <summary>The store of everybody without a quota.</summary>
    internal LendableStore Default { get; }

    /// <summary>True when somebody has a store of his own.</summary>
    internal bool HasTenants => _byIdentity.Count > 0;

    /// <summary>All stores, the common one first.</summary>
    internal IEnumerable<LendableStore> All => _byIdentity.Values.Prepend(Default);

    /// <summary>The store of an identity, if it has one.</summary>
    internal LendableStore? Find(string identity) => _byIdentity.GetValueOrDefault(identity);

    /// <summary>Gives all memory back.</summary>
    public void Dispose()
    {
        Default?.Dispose();
        foreach (LendableStore store in _byIdentity.Values) store.Dispose();
    }
}
