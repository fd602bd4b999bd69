using System.Buffers.Binary;
using System.Runtime.InteropServices;
using System.Text;
using System.Text.Json;
using SparseFrontier.Tasks;
using Xunit;

namespace SparseFrontier.Tests.Tasks;

public class TaskStreamTests
{
    private const string Request =
        """{"task":"Niah","length":512,"count":8,"seed":7,"start":3,"parameters":{"Queries":2,"KeyGroups":1},"shortInstructions":true,"stop":"<|im_end|>"}""";

    private static readonly PromptEncoder s_encoder = TestEncoders.Runs();

    [Fact]
    public void A_batch_holds_prompt_target_and_stop_token_of_each_sample()
    {
        (int count, int width, int[] ids, int[] starts) = Assert.Single(Serve(Request));
        Assert.Equal(8, count);
        TaskSource source = TaskRegistry.Find("Niah").Open(
            new TaskOptions
            {
                SequenceLength = 512,
                Seed = 7,
                Split = "training",
                ShortInstructions = true,
                Parameters = new Dictionary<string, double> { ["Queries"] = 2, ["KeyGroups"] = 1 },
            },
            s_encoder);
        int longest = 0;
        for (int i = 0; i < count; i++)
        {
            TaskSample sample = source.Generate(3 + i);
            int[] expected = [.. s_encoder.Encode(s_encoder.Template(sample.Prompt)), .. s_encoder.Encode(sample.TargetResponse), TestEncoders.StopId];
            int[] row = ids[(i * width)..((i + 1) * width)];
            Assert.Equal(expected, row[..expected.Length]);
            Assert.All(row[expected.Length..], id => Assert.Equal(-1, id));
            Assert.Equal(sample.PromptTokens, starts[i]);
            longest = Math.Max(longest, expected.Length);
        }

        Assert.Equal(longest, width);
    }

    [Fact]
    public void Lengths_vary_when_asked_and_the_width_can_be_fixed()
    {
        (_, int width, _, int[] starts) = Assert.Single(Serve(Request.Replace("\"start\":3", "\"start\":3,\"variableLength\":true,\"width\":700", StringComparison.Ordinal)));
        Assert.Equal(700, width);
        Assert.True(starts.Distinct().Count() > 4);
        Assert.All(starts, s => Assert.InRange(s, 128, 512));
    }

    [Theory]
    [InlineData("VariableTracking", 1200, 3)]
    [InlineData("StoryMultiHop", 2000, 3)]
    [InlineData("CommonWords", 6000, 1)]
    public void Further_turns_ask_other_questions_on_the_same_context(string task, int length, int turns)
    {
        string request = $$"""{"task":"{{task}}","length":{{length}},"count":2,"seed":7,"shortInstructions":true,"stop":"<|im_end|>"}""";
        (_, int width, int[] alone, int[] starts) = Assert.Single(Serve(request));
        (_, int wider, int[] more, int[] sameStarts) = Assert.Single(Serve(request.Replace("\"count\":2", "\"count\":2,\"turns\":3", StringComparison.Ordinal)));
        Assert.Equal(starts, sameStarts);
        TaskSource source = TaskRegistry.Find(task).Open(
            new TaskOptions { SequenceLength = length, Seed = 7, Split = "training", ShortInstructions = true }, s_encoder);
        for (int i = 0; i < 2; i++)
        {
            (TaskSample sample, IReadOnlyList<(string Prompt, string Target)> further) = source.Generate(i, length, 3);
            Assert.Equal(source.Generate(i).Prompt, sample.Prompt);
            Assert.Equal(turns - 1, further.Count);
            Assert.Equal(turns, further.Select(f => f.Target).Append(sample.TargetResponse).Distinct().Count());
            int[] expected = [.. sample.PromptIds, .. s_encoder.Encode(sample.TargetResponse), TestEncoders.StopId];
            Assert.Equal(expected, alone[(i * width)..((i + 1) * width)].Where(id => id >= 0));
            foreach ((string prompt, string target) in further)
            {
                expected = [.. expected, .. s_encoder.Encode("\n" + s_encoder.Template(prompt)), .. s_encoder.Encode(target), TestEncoders.StopId];
            }

            Assert.Equal(expected, more[(i * wider)..((i + 1) * wider)].Where(id => id >= 0));
        }
    }

    [Fact]
    public void A_bad_request_is_answered_with_a_message_and_the_next_one_served()
    {
        using var output = new MemoryStream();
        TaskStream.Serve(new StringReader("{\"task\":\"Nia\",\"length\":512,\"count\":1}\nnot json\n\n" + Request), output, s_encoder);
        byte[] bytes = output.ToArray();
        Assert.Contains("TaskNotFound", Message(ref bytes), StringComparison.Ordinal);
        Assert.Contains("ParameterInvalid", Message(ref bytes), StringComparison.Ordinal);
        Assert.Equal(8, BinaryPrimitives.ReadInt32LittleEndian(bytes));

        static string Message(ref byte[] bytes)
        {
            Assert.Equal(-1, BinaryPrimitives.ReadInt32LittleEndian(bytes));
            int length = BinaryPrimitives.ReadInt32LittleEndian(bytes.AsSpan(4));
            string message = Encoding.UTF8.GetString(bytes.AsSpan(8, length));
            bytes = bytes[(8 + length)..];
            return message;
        }
    }

    [Fact]
    public void Lines_hold_the_templated_prompt_and_the_gold()
    {
        TaskSource source = TaskRegistry.Find("Niah").Open(new TaskOptions { SequenceLength = 2048 }, s_encoder);
        using var writer = new StringWriter();
        TaskStream.WriteSamples(writer, source, s_encoder, count: 3, start: 5);
        string[] lines = writer.ToString().TrimEnd('\n').Split('\n');
        Assert.Equal(3, lines.Length);
        using JsonDocument line = JsonDocument.Parse(lines[1]);
        TaskSample sample = source.Generate(6);
        Assert.Equal(6, line.RootElement.GetProperty("index").GetInt32());
        Assert.Equal(s_encoder.Template(sample.Prompt), line.RootElement.GetProperty("prompt").GetString());
        Assert.Equal(sample.PromptTokens, line.RootElement.GetProperty("promptTokens").GetInt32());
        Assert.Equal(sample.GoldJson, line.RootElement.GetProperty("gold").GetRawText());
        Assert.Equal(sample.TargetResponse, line.RootElement.GetProperty("target").GetString());
    }

    private static List<(int Count, int Width, int[] Ids, int[] Starts)> Serve(string requests)
    {
        using var output = new MemoryStream();
        TaskStream.Serve(new StringReader(requests), output, s_encoder);
        var batches = new List<(int, int, int[], int[])>();
        ReadOnlySpan<int> values = MemoryMarshal.Cast<byte, int>(output.ToArray());
        while (!values.IsEmpty)
        {
            int count = values[0];
            int width = values[1];
            batches.Add((count, width, values.Slice(2, count * width).ToArray(), values.Slice(2 + (count * width), count).ToArray()));
            values = values[(2 + (count * width) + count)..];
        }

        return batches;
    }
}
