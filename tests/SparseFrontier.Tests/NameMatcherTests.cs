using Xunit;

namespace SparseFrontier.Tests;

public class NameMatcherTests
{
    private static readonly string[] s_names = ["Niah", "VariableTracking", "CommonWords", "StoryRetrieval", "StoryMultiHop", "StoryFiltering"];

    [Theory]
    [InlineData("kitten", "sitting", 3)]
    [InlineData("", "abc", 3)]
    [InlineData("Quest", "QUEST", 0)]
    [InlineData("ab", "ba", 2)]
    public void Distance_counts_edits_without_case(string first, string second, int expected)
    {
        Assert.Equal(expected, NameMatcher.Distance(first, second));
        Assert.Equal(expected, NameMatcher.Distance(second, first));
    }

    [Theory]
    [InlineData("Nia", "Niah")]
    [InlineData("niha", "Niah")]
    [InlineData("ComonWord", "CommonWords")]
    [InlineData("variable", "VariableTracking")]
    public void The_nearest_name_comes_first(string asked, string expected) => Assert.Equal(expected, NameMatcher.Nearest(asked, s_names)[0]);

    [Fact]
    public void Nothing_is_near_a_name_of_another_kind()
    {
        Assert.Empty(NameMatcher.Nearest("Perplexity", s_names));
        Assert.Equal("Known: Niah, VariableTracking.", NameMatcher.Suggestion("Perplexity", s_names[..2]));
        Assert.StartsWith("Did you mean Niah? Known: Niah,", NameMatcher.Suggestion("Nia", s_names), StringComparison.Ordinal);
    }

    [Theory]
    [InlineData("StoryMultiHop", "story*", true)]
    [InlineData("StoryMultiHop", "*hop", true)]
    [InlineData("StoryMultiHop", "story", false)]
    [InlineData("StoryMultiHop", "storymultiho?", true)]
    [InlineData("Niah", "niah", true)]
    public void Patterns_match_whole_names(string name, string pattern, bool expected) => Assert.Equal(expected, NameMatcher.Matches(name, pattern));
}
