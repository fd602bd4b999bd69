namespace SparseFrontier.Models.Tokenizers;

/// <summary>A binary heap of merges, lowest rank first, then lowest position: both lie in one key, so that the order is total.</summary>
internal sealed class MergeHeap
{
    private ulong[] _keys = [];
    private int _count;

    /// <summary>Empties it, with room for a number of merges.</summary>
    public void Clear(int capacity)
    {
        _count = 0;
        if (_keys.Length < capacity)
        {
            _keys = new ulong[capacity];
        }
    }

    /// <summary>Adds a merge.</summary>
    public void Push(int rank, int position)
    {
        if (_count == _keys.Length)
        {
            Array.Resize(ref _keys, Math.Max(64, 2 * _count));
        }

        ulong key = ((ulong)(uint)rank << 32) | (uint)position;
        ulong[] keys = _keys;
        int slot = _count++;
        while (slot > 0)
        {
            int parent = (slot - 1) / 2;
            if (keys[parent] <= key)
            {
                break;
            }

            keys[slot] = keys[parent];
            slot = parent;
        }

        keys[slot] = key;
    }

    /// <summary>Takes the first merge.</summary>
    public bool TryPop(out int rank, out int position)
    {
        if (_count == 0)
        {
            rank = 0;
            position = 0;
            return false;
        }

        ulong[] keys = _keys;
        ulong first = keys[0];
        ulong last = keys[--_count];
        int slot = 0;
        while (true)
        {
            int child = (2 * slot) + 1;
            if (child >= _count)
            {
                break;
            }

            if (child + 1 < _count && keys[child + 1] < keys[child])
            {
                child++;
            }

            if (keys[child] >= last)
            {
                break;
            }

            keys[slot] = keys[child];
            slot = child;
        }

        keys[slot] = last;
        rank = (int)(first >> 32);
        position = (int)(first & uint.MaxValue);
        return true;
    }
}
