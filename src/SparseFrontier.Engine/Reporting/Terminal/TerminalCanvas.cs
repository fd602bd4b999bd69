using System.Globalization;
using System.Text;

namespace SparseFrontier.Reporting.Terminal;

/// <summary>Characters with colours, row 0 at the top; what falls outside is left out.</summary>
internal sealed class TerminalCanvas(int width, int height)
{
    private readonly (char Character, int? Color, bool Dim)[] _cells = [.. Enumerable.Repeat<(char, int?, bool)>((' ', null, false), width * height)];

    public int Width => width;

    public int Height => height;

    public char this[int column, int row] => _cells[(row * width) + column].Character;

    public void Put(int column, int row, char character, int? color = null, bool dim = false)
    {
        if (column >= 0 && column < width && row >= 0 && row < height)
        {
            _cells[(row * width) + column] = (character, color, dim);
        }
    }

    public void Write(int column, int row, string text)
    {
        for (int i = 0; i < text.Length; i++)
        {
            Put(column + i, row, text[i]);
        }
    }

    /// <summary>The lines, without blanks at their ends.</summary>
    public IEnumerable<string> Lines(bool colors)
    {
        for (int row = 0; row < height; row++)
        {
            var line = new StringBuilder();
            int last = width - 1;
            while (last >= 0 && this[last, row] == ' ')
            {
                last--;
            }

            for (int column = 0; column <= last; column++)
            {
                (char character, int? color, bool dim) = _cells[(row * width) + column];
                line.Append(colors && character != ' ' ? Colored(character.ToString(), color, dim) : character.ToString());
            }

            yield return line.ToString();
        }
    }

    /// <summary>A text in a colour of the 256, dim or not.</summary>
    public static string Colored(string text, int? color, bool dim) => color is null && !dim
        ? text
        : string.Create(CultureInfo.InvariantCulture, $"\u001b[{(dim ? "2" : "")}{(dim && color is not null ? ";" : "")}{(color is { } c ? $"38;5;{c}" : "")}m{text}\u001b[0m");
}
