namespace SparseFrontier.Models.Tokenizers;

/// <summary>Rank of a pair of token ids: open addressing over one array of keys, since this look-up is most of the cost of encoding.</summary>
internal sealed class MergeTable
{
    private const ulong Empty = ulong.MaxValue;
    private readonly ulong[] _keys;
    private readonly int[] _ranks;
    private readonly int _shift;

    public MergeTable(int count)
    {
        int bits = 4;
        while ((1L << bits) < 2L * count)
        {
            bits++;
        }

        _shift = 64 - bits;
        _keys = new ulong[1 << bits];
        _ranks = new int[1 << bits];
        Array.Fill(_keys, Empty);
    }

    /// <summary>Sets the rank of a pair; a later one replaces an earlier one.</summary>
    public void Set(int left, int right, int rank)
    {
        ulong key = ((ulong)(uint)left << 32) | (uint)right;
        int slot = Slot(key);
        while (_keys[slot] != Empty && _keys[slot] != key)
        {
            slot = (slot + 1) & (_keys.Length - 1);
        }

        _keys[slot] = key;
        _ranks[slot] = rank;
    }

    /// <summary>The rank of a pair; <see cref="int.MaxValue"/> if it never merges.</summary>
    public int Rank(int left, int right)
    {
        ulong key = ((ulong)(uint)left << 32) | (uint)right;
        int slot = Slot(key);
        ulong[] keys = _keys;
        while (true)
        {
            ulong found = keys[slot];
            if (found == key)
            {
                return _ranks[slot];
            }

            if (found == Empty)
            {
                return int.MaxValue;
            }

            slot = (slot + 1) & (keys.Length - 1);
        }
    }

    private int Slot(ulong key) => (int)((key * 0x9E3779B97F4A7C15UL) >> _shift);
}
