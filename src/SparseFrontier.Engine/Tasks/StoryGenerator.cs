using System.Globalization;
using System.Text;
using SparseFrontier.Tensors;

namespace SparseFrontier.Tasks;

/// <summary>One chapter's facts and the draws that its text needs.</summary>
internal sealed record StoryChapter(string Location, string Character, string Event, string Item, bool Sells, int SalePick, int[] Templates);

/// <summary>
/// A story of chapters that each visit a location, meet a character and buy one item (paper, section 4.5). A chapter's draws do not depend on
/// how many chapters follow, so that a story can be lengthened and shortened. No two chapters share both location and character, and
/// every item is bought once. With an even chance a chapter sells an item bought in an earlier chapter, whose purchase is told and which has
/// not been sold before.
/// </summary>
internal sealed class StoryGenerator(RandomSource random, HeldOut heldOut = HeldOut.None)
{
    /// <summary>Most chapters of a story.</summary>
    public const int MaximumChapters = 2000;

    private const int Tries = 100;
    private readonly StoryNames _names = heldOut.HasFlag(HeldOut.Words) ? StoryHeldOut.Names : StoryMaterial.Names;
    private readonly StoryFacts _facts = heldOut.HasFlag(HeldOut.Template) ? StoryHeldOut.Facts : StoryMaterial.Facts;
    private readonly List<StoryChapter> _chapters = [];
    private readonly HashSet<(string Location, string Character)> _pairs = [];
    private readonly HashSet<string> _items = [];

    /// <summary>The first chapters of the story.</summary>
    public IReadOnlyList<StoryChapter> Chapters(int count)
    {
        while (_chapters.Count < count)
        {
            _chapters.Add(DrawChapter());
        }

        return _chapters;
    }

    /// <summary>The text of the first chapters.</summary>
    /// <param name="count">How many chapters.</param>
    /// <param name="untold">Chapters, counted from 0, whose purchase is left out.</param>
    /// <param name="filler">A sentence that ends the last chapter; empty: none.</param>
    public string Text(int count, IReadOnlySet<int> untold, string filler)
    {
        IReadOnlyList<StoryChapter> chapters = Chapters(count);
        var text = new StringBuilder(count * 1100);
        var owned = new List<string>(count);
        for (int i = 0; i < count; i++)
        {
            StoryChapter chapter = chapters[i];
            text.Append(i == 0 ? "" : "\n\n").Append(CultureInfo.InvariantCulture, $"Chapter {i + 1}\n");
            int[] templates = chapter.Templates;
            Append(text, _facts.Arrival[templates[0]], chapter, chapter.Item);
            Append(text, StoryMaterial.Reason[templates[1]], chapter, chapter.Item);
            Append(text, StoryMaterial.Event[templates[2]], chapter, chapter.Item);
            Append(text, _facts.Encounter[templates[3]], chapter, chapter.Item);
            for (int c = 4; c < 7; c++)
            {
                Append(text, StoryMaterial.Conversation[templates[c]], chapter, chapter.Item);
            }

            if (!untold.Contains(i))
            {
                Append(text, _facts.Purchase[templates[7]], chapter, chapter.Item);
            }

            if (chapter.Sells && owned.Count > 0)
            {
                int sold = chapter.SalePick % owned.Count;
                Append(text, _facts.Sale[templates[8]], chapter, owned[sold]);
                owned.RemoveAt(sold);
            }

            if (!untold.Contains(i))
            {
                owned.Add(chapter.Item);
            }

            Append(text, StoryMaterial.Farewell[templates[9]], chapter, chapter.Item);
            Append(text, StoryMaterial.Conclusion[templates[10]], chapter, chapter.Item);
            Append(text, StoryMaterial.Extra[templates[11]], chapter, chapter.Item);
            text.Length--;
        }

        return filler.Length == 0 ? text.ToString() : text.Append(' ').Append(filler).ToString();
    }

    private static void Append(StringBuilder text, string template, StoryChapter chapter, string item)
    {
        ReadOnlySpan<char> rest = template;
        for (int open = rest.IndexOf('{'); open >= 0; open = rest.IndexOf('{'))
        {
            text.Append(rest[..open]);
            int close = rest.IndexOf('}');
            text.Append(rest[(open + 1)..close] switch
            {
                "hero" => StoryMaterial.Protagonist,
                "location" => chapter.Location,
                "character" => chapter.Character,
                "event" => chapter.Event,
                "item" => item,
                _ => ("aeiou".Contains(item[0], StringComparison.Ordinal) ? "an " : "a ") + item,
            });
            rest = rest[(close + 1)..];
        }

        text.Append(rest).Append(' ');
    }

    private StoryChapter DrawChapter()
    {
        (string Location, string Character) pair;
        int tries = 0;
        do
        {
            pair = (random.Choose(_names.Locations), random.Choose(_names.Characters));
        }
        while (!_pairs.Add(pair) && ++tries < Tries);

        string item;
        do
        {
            item = $"{random.Choose(_names.ItemAdjectives)} {random.Choose(_names.ItemMaterials)} {random.Choose(_names.ItemTypes)}";
        }
        while (!_items.Add(item));

        int[] conversation = new int[StoryMaterial.Conversation.Length];
        for (int i = 0; i < conversation.Length; i++)
        {
            conversation[i] = i;
        }

        random.Shuffle<int>(conversation);
        return new StoryChapter(
            pair.Location,
            pair.Character,
            random.Choose(_names.Events),
            item,
            random.Next(2) == 0,
            random.Next(int.MaxValue),
            [
                random.Next(_facts.Arrival.Length),
                random.Next(StoryMaterial.Reason.Length),
                random.Next(StoryMaterial.Event.Length),
                random.Next(_facts.Encounter.Length),
                conversation[0],
                conversation[1],
                conversation[2],
                random.Next(_facts.Purchase.Length),
                random.Next(_facts.Sale.Length),
                random.Next(StoryMaterial.Farewell.Length),
                random.Next(StoryMaterial.Conclusion.Length),
                random.Next(StoryMaterial.Extra.Length),
            ]);
    }
}
