using System.Collections.Concurrent;
using System.Globalization;
using System.Text;

namespace SparseFrontier.Models.Tokenizers;

/// <summary>
/// Byte-pair encoding of one piece: characters (or their bytes, or the unknown token) as symbols, then merges by rank, leftmost first.
/// Short pieces are merged by scanning, long ones with a heap in O(n log n).
/// </summary>
internal sealed class BytePairModel
{
    private const int LongestCachedPiece = 48;
    private const int CacheCapacity = 50_000;
    private const int LongestScannedPiece = 40;

    private readonly Dictionary<string, int> _vocabulary;
    private readonly MergeTable _merges;
    private readonly int[] _merged;
    private readonly bool _ignoreMerges;
    private readonly bool _fuseUnknown;
    private readonly int _unknownId;
    private readonly int[]? _byteIds;
    private readonly int[] _characterIds = new int[0x10000];
    private readonly HashSet<uint>? _joinable;
    private readonly ConcurrentDictionary<string, int[]> _cache = new(StringComparer.Ordinal);
    private readonly ConcurrentDictionary<string, int[]>.AlternateLookup<ReadOnlySpan<char>> _cacheLookup;
    private readonly Dictionary<string, int>.AlternateLookup<ReadOnlySpan<char>> _vocabularyLookup;
    private int _cached;

    /// <summary>Creates the model.</summary>
    /// <param name="vocabulary">Token to id, ordinal comparer.</param>
    /// <param name="merges">Pairs in order of rank.</param>
    /// <param name="ignoreMerges">Whether a piece that is a token is that token, whatever the merges say.</param>
    /// <param name="byteFallback">Whether a character outside the vocabulary becomes tokens of the form &lt;0x0A&gt;.</param>
    /// <param name="fuseUnknown">Whether neighbouring unknown characters become one unknown token.</param>
    /// <param name="unknownId">Id of the unknown token; -1 for none: unknown characters then vanish.</param>
    /// <exception cref="FormatException">A merge names tokens that the vocabulary lacks.</exception>
    public BytePairModel(
        Dictionary<string, int> vocabulary,
        List<(string Left, string Right)> merges,
        bool ignoreMerges,
        bool byteFallback,
        bool fuseUnknown,
        int unknownId)
    {
        _vocabulary = vocabulary;
        _vocabularyLookup = vocabulary.GetAlternateLookup<ReadOnlySpan<char>>();
        _cacheLookup = _cache.GetAlternateLookup<ReadOnlySpan<char>>();
        _ignoreMerges = ignoreMerges;
        _fuseUnknown = fuseUnknown;
        _unknownId = unknownId;
        if (byteFallback)
        {
            _byteIds = new int[256];
            for (int b = 0; b < 256; b++)
            {
                _byteIds[b] = vocabulary.GetValueOrDefault(string.Create(CultureInfo.InvariantCulture, $"<0x{b:X2}>"), -1);
            }
        }

        Array.Fill(_characterIds, -1);
        foreach ((string token, int id) in vocabulary)
        {
            if (token.Length == 1 && !char.IsSurrogate(token[0]))
            {
                _characterIds[token[0]] = id;
            }
        }

        _merges = new MergeTable(merges.Count);
        _merged = new int[merges.Count];
        HashSet<uint>? joinable = [];
        for (int rank = 0; rank < merges.Count; rank++)
        {
            (string left, string right) = merges[rank];
            if (!vocabulary.TryGetValue(left, out int leftId)
                || !vocabulary.TryGetValue(right, out int rightId)
                || !vocabulary.TryGetValue(string.Concat(left, right), out _merged[rank]))
            {
                throw new FormatException($"The merge of '{left}' and '{right}' names tokens that the vocabulary lacks.");
            }

            _merges.Set(leftId, rightId, rank);
            if (IsByteToken(left) || IsByteToken(right))
            {
                joinable = null;
            }

            joinable?.Add(Pair(left[^1], right[0]));
        }

        _joinable = joinable;
    }

    /// <summary>Appends the token ids of a piece.</summary>
    public void Encode(ReadOnlySpan<char> piece, List<int> ids, MergeWorkspace workspace)
    {
        if (_ignoreMerges && _vocabularyLookup.TryGetValue(piece, out int whole))
        {
            ids.Add(whole);
            return;
        }

        // No token holds the two characters around such a boundary side by side, so no merge crosses it: the parts are independent, short
        // and mostly in the cache. This is what makes tokenizers without a pre-tokenizer fast.
        if (_joinable is null)
        {
            EncodePart(piece, ids, workspace);
            return;
        }

        int start = 0;
        for (int i = 1; i < piece.Length; i++)
        {
            if (_characterIds[piece[i - 1]] >= 0 && _characterIds[piece[i]] >= 0 && !_joinable.Contains(Pair(piece[i - 1], piece[i])))
            {
                EncodePart(piece[start..i], ids, workspace);
                start = i;
            }
        }

        EncodePart(piece[start..], ids, workspace);
    }

    private void EncodePart(ReadOnlySpan<char> part, List<int> ids, MergeWorkspace workspace)
    {
        if (part.Length == 1 && _characterIds[part[0]] is >= 0 and int single)
        {
            ids.Add(single);
            return;
        }

        bool cacheable = part.Length <= LongestCachedPiece;
        if (cacheable && _cacheLookup.TryGetValue(part, out int[]? known))
        {
            ids.AddRange(known);
            return;
        }

        AddSymbols(part, workspace);
        int before = ids.Count;
        if (workspace.Count <= LongestScannedPiece)
        {
            MergeByScanning(workspace, ids);
        }
        else
        {
            MergeByHeap(workspace, ids);
        }

        if (cacheable && _cached < CacheCapacity)
        {
            if (_cache.TryAdd(part.ToString(), ids.GetRange(before, ids.Count - before).ToArray()))
            {
                Interlocked.Increment(ref _cached);
            }
        }
    }

    private void AddSymbols(ReadOnlySpan<char> piece, MergeWorkspace workspace)
    {
        workspace.Clear(4 * piece.Length);
        bool unknown = false;
        Span<byte> bytes = stackalloc byte[4];
        for (int i = 0; i < piece.Length;)
        {
            int length = char.IsHighSurrogate(piece[i]) && i + 1 < piece.Length ? 2 : 1;
            ReadOnlySpan<char> character = piece.Slice(i, length);
            i += length;
            int id = -1;
            bool known = length == 1
                ? (id = _characterIds[character[0]]) >= 0
                : _vocabularyLookup.TryGetValue(character, out id);
            if (known)
            {
                if (unknown)
                {
                    workspace.Add(_unknownId);
                    unknown = false;
                }

                workspace.Add(id);
                continue;
            }

            if (_byteIds is not null && Rune.DecodeFromUtf16(character, out Rune rune, out _) == System.Buffers.OperationStatus.Done)
            {
                int count = rune.EncodeToUtf8(bytes);
                bool all = true;
                for (int b = 0; b < count; b++)
                {
                    all &= _byteIds[bytes[b]] >= 0;
                }

                if (all)
                {
                    for (int b = 0; b < count; b++)
                    {
                        workspace.Add(_byteIds[bytes[b]]);
                    }

                    continue;
                }
            }

            if (_unknownId >= 0)
            {
                if (unknown && !_fuseUnknown)
                {
                    workspace.Add(_unknownId);
                }

                unknown = true;
            }
        }

        if (unknown)
        {
            workspace.Add(_unknownId);
        }
    }

    private void MergeByScanning(MergeWorkspace workspace, List<int> output)
    {
        int count = workspace.Count;
        Span<int> ids = workspace.Ids.AsSpan(0, count);
        Span<int> ranks = workspace.Ranks.AsSpan(0, count);
        for (int i = 0; i + 1 < count; i++)
        {
            ranks[i] = _merges.Rank(ids[i], ids[i + 1]);
        }

        while (count > 1)
        {
            int best = 0;
            for (int i = 1; i + 1 < count; i++)
            {
                if (ranks[i] < ranks[best])
                {
                    best = i;
                }
            }

            if (ranks[best] == int.MaxValue)
            {
                break;
            }

            ids[best] = _merged[ranks[best]];
            ids[(best + 2)..count].CopyTo(ids[(best + 1)..]);
            ranks[(best + 2)..count].CopyTo(ranks[(best + 1)..]);
            count--;
            if (best > 0)
            {
                ranks[best - 1] = _merges.Rank(ids[best - 1], ids[best]);
            }

            if (best + 1 < count)
            {
                ranks[best] = _merges.Rank(ids[best], ids[best + 1]);
            }
        }

        for (int i = 0; i < count; i++)
        {
            output.Add(ids[i]);
        }
    }

    private void MergeByHeap(MergeWorkspace workspace, List<int> output)
    {
        workspace.NeedLinks();
        int count = workspace.Count;
        int[] ids = workspace.Ids;
        int[] ranks = workspace.Ranks;
        int[] next = workspace.Next;
        int[] previous = workspace.Previous;
        MergeHeap heap = workspace.Heap;
        heap.Clear(count);
        for (int i = 0; i < count; i++)
        {
            next[i] = i + 1 < count ? i + 1 : -1;
            previous[i] = i - 1;
            ranks[i] = i + 1 < count ? _merges.Rank(ids[i], ids[i + 1]) : int.MaxValue;
            if (ranks[i] != int.MaxValue)
            {
                heap.Push(ranks[i], i);
            }
        }

        while (heap.TryPop(out int rank, out int position))
        {
            // An entry is stale once the rank at its position is another.
            if (ranks[position] != rank)
            {
                continue;
            }

            int right = next[position];
            int after = next[right];
            ids[position] = _merged[rank];
            ranks[right] = int.MaxValue;
            next[position] = after;
            if (after >= 0)
            {
                previous[after] = position;
            }

            ranks[position] = after >= 0 ? _merges.Rank(ids[position], ids[after]) : int.MaxValue;
            if (ranks[position] != int.MaxValue)
            {
                heap.Push(ranks[position], position);
            }

            int before = previous[position];
            if (before >= 0)
            {
                ranks[before] = _merges.Rank(ids[before], ids[position]);
                if (ranks[before] != int.MaxValue)
                {
                    heap.Push(ranks[before], before);
                }
            }
        }

        for (int i = count > 0 ? 0 : -1; i >= 0; i = next[i])
        {
            output.Add(ids[i]);
        }
    }

    private static uint Pair(char left, char right) => ((uint)left << 16) | right;

    private static bool IsByteToken(string token) => token.Length == 6 && token.StartsWith("<0x", StringComparison.Ordinal);
}
