using System.Globalization;
using System.Text.RegularExpressions;
using Xunit;

namespace SparseFrontier.ContractTests;

/// <summary>
/// The register tiles of prompt attention are written out, because the compiler keeps accumulators in registers only so. They are one pattern in several sizes:
/// this writes each size out again and compares. Who changes one changes the pattern here, and takes the text of the others from the failure.
/// </summary>
public partial class UnrolledTilesTests
{
    [Fact]
    public void Every_size_of_a_tile_is_the_same_pattern()
    {
        string text = File.ReadAllText(Path.Combine(LayerTests.Root(), "src", "SparseFrontier.Engine", "Kernels", "Cpu", "PrefillTiles.cs")).ReplaceLineEndings("\n");
        MatchCollection tiles = Tile().Matches(text);
        Assert.Equal(
            ["Score8x2", "Score6x2", "Score4x2", "Score8x1", "Accumulate8x2", "Accumulate6x2", "Accumulate4x2"],
            tiles.Select(t => t.Groups["name"].Value));
        Assert.All(tiles, tile =>
        {
            int rows = int.Parse(tile.Groups["rows"].Value, CultureInfo.InvariantCulture);
            int vectors = int.Parse(tile.Groups["vectors"].Value, CultureInfo.InvariantCulture);
            IEnumerable<string> lines = tile.Groups["kind"].Value == "Score" ? Score(rows, vectors) : Accumulate(rows, vectors);
            Assert.Equal(string.Join('\n', lines), string.Join('\n', tile.Groups["body"].Value.TrimEnd('\n').Split('\n').Select(l => l.TrimStart())));
        });
    }

    // scores[row][vector] = Σ_d keys[row][d] · queries[d][vector]
    private static IEnumerable<string> Score(int rows, int vectors)
    {
        yield return "int width = TSimd.Width;";
        for (int r = 0; r < rows; r++)
        {
            yield return $"float* k{r} = keys[{r}];";
        }

        for (int i = 0; i < rows * vectors; i++)
        {
            yield return $"TVector s{i / vectors}{i % vectors} = {(i == 0 ? "TSimd.Broadcast(0)" : "s00")};";
        }

        yield return "for (int d = 0; d < dimension; d++)";
        yield return "{";
        yield return "FetchLine(next[d & nextMask], d);";
        for (int v = 0; v < vectors; v++)
        {
            yield return $"TVector q{v} = TSimd.Load(transposed{(v == 0 ? "" : " + width")});";
        }

        yield return "transposed += LaneBlock;";
        for (int r = 0; r < rows; r++)
        {
            yield return $"{(r == 0 ? "TVector " : "")}x = TSimd.Broadcast(k{r}[d]);";
            for (int v = 0; v < vectors; v++)
            {
                yield return $"s{r}{v} = TSimd.MultiplyAdd(x, q{v}, s{r}{v});";
            }
        }

        yield return "}";
        yield return "";
        for (int i = 0; i < rows * vectors; i++)
        {
            int r = i / vectors;
            string row = r == 0 ? "" : r == 1 ? " + LaneBlock" : $" + ({r} * LaneBlock)";
            yield return $"TSimd.Store(s{r}{i % vectors}, scores{row}{(i % vectors == 0 ? "" : " + width")});";
        }
    }

    // target[row][vector] = scales[row] · (factors[row] · source[row][vector] + Σ_k weights[k][row] · values[k][vector])
    private static IEnumerable<string> Accumulate(int rows, int vectors)
    {
        yield return "int width = TSimd.Width;";
        yield return "float* o = source;";
        yield return "TVector x;";
        for (int r = 0; r < rows; r++)
        {
            if (r > 0)
            {
                yield return "o += sourceStride;";
            }

            yield return $"x = TSimd.Broadcast(factors[{r}]);";
            for (int v = 0; v < vectors; v++)
            {
                yield return $"TVector s{r}{v} = TSimd.Multiply(x, TSimd.Load(o{(v == 0 ? "" : " + width")}));";
            }
        }

        yield return "for (int k = 0; k < count; k++)";
        yield return "{";
        yield return "float* value = values[k] + offset;";
        for (int v = 0; v < vectors; v++)
        {
            yield return $"TVector v{v} = TSimd.Load(value{(v == 0 ? "" : " + width")});";
        }

        for (int r = 0; r < rows; r++)
        {
            yield return $"x = TSimd.Broadcast(weights[{r}]);";
            for (int v = 0; v < vectors; v++)
            {
                yield return $"s{r}{v} = TSimd.MultiplyAdd(x, v{v}, s{r}{v});";
            }
        }

        yield return "weights += LaneBlock;";
        yield return "}";
        yield return "";
        yield return "if (scales is not null)";
        yield return "{";
        for (int r = 0; r < rows; r++)
        {
            yield return $"x = TSimd.Broadcast(scales[{r}]);";
            for (int v = 0; v < vectors; v++)
            {
                yield return $"s{r}{v} = TSimd.Multiply(x, s{r}{v});";
            }
        }

        yield return "}";
        yield return "";
        yield return "o = target;";
        for (int r = 0; r < rows; r++)
        {
            if (r > 0)
            {
                yield return "o += targetStride;";
            }

            for (int v = 0; v < vectors; v++)
            {
                yield return $"TSimd.Store(s{r}{v}, o{(v == 0 ? "" : " + width")});";
            }
        }
    }

    [GeneratedRegex(@"private static void (?<name>(?<kind>Score|Accumulate)(?<rows>\d)x(?<vectors>\d))\([^)]*\)\n    \{\n(?<body>.*?)\n    \}\n", RegexOptions.Singleline)]
    private static partial Regex Tile();
}
