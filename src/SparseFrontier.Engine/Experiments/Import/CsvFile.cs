using System.Text;

namespace SparseFrontier.Experiments.Import;

/// <summary>Reads comma-separated values as RFC 4180 has them: fields in quotation marks may hold commas, line ends and doubled quotation marks.</summary>
internal static class CsvFile
{
    /// <summary>The rows of a file with a header, by column.</summary>
    /// <exception cref="SparseFrontierException">ResultRowInvalid: a row with another number of fields than the header, or a quotation mark that is not closed. ResultUnreadable.</exception>
    public static IReadOnlyList<IReadOnlyDictionary<string, string>> Read(string path)
    {
        List<string[]> records = Records(ImportFiles.Text(path) ?? "", path);
        if (records.Count == 0)
        {
            return [];
        }

        string[] header = records[0];
        return
        [
            .. records.Skip(1).Select((record, i) => record.Length == header.Length
                ? (IReadOnlyDictionary<string, string>)header.Zip(record).DistinctBy(p => p.First).ToDictionary(p => p.First, p => p.Second)
                : throw ImportFiles.Invalid(path, FormattableString.Invariant($"row {i + 1} has {record.Length} fields, the header {header.Length}."), null)),
        ];
    }

    private static List<string[]> Records(string text, string path)
    {
        List<string[]> records = [];
        List<string> fields = [];
        var field = new StringBuilder();
        bool quoted = false;
        for (int i = 0; i < text.Length; i++)
        {
            char c = text[i];
            if (quoted)
            {
                if (c != '"')
                {
                    field.Append(c);
                }
                else if (i + 1 < text.Length && text[i + 1] == '"')
                {
                    field.Append('"');
                    i++;
                }
                else
                {
                    quoted = false;
                }
            }
            else if (c == '"' && field.Length == 0)
            {
                quoted = true;
            }
            else if (c is ',' or '\n')
            {
                EndField();
                if (c == '\n')
                {
                    EndRecord();
                }
            }
            else if (c != '\r' || i + 1 >= text.Length || text[i + 1] != '\n')
            {
                field.Append(c);
            }
        }

        if (quoted)
        {
            throw ImportFiles.Invalid(path, "a quotation mark is not closed; the file may be cut off.", null);
        }

        if (field.Length > 0 || fields.Count > 0)
        {
            EndField();
            EndRecord();
        }

        return records;

        void EndField()
        {
            fields.Add(field.ToString());
            field.Clear();
        }

        void EndRecord()
        {
            // An empty line is no row.
            if (fields.Count > 1 || fields[0].Length > 0)
            {
                records.Add([.. fields]);
            }

            fields.Clear();
        }
    }
}
