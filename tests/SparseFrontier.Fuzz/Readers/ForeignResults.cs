using System.Globalization;
using System.Text.Json;

namespace SparseFrontier.Fuzz.Readers;

/// <summary>Small results as other programs write them, with figures that their samples give.</summary>
internal static class ForeignResults
{
    /// <summary>A folder as kvpress leaves it: RULER, of whose samples the last <paramref name="lost"/> are answered wrong; half of a qa sample's answers suffice.</summary>
    public static string KVPress(string folder, string press, string ratio, int samples, int lost, string configuration = "", int length = 4096)
    {
        string path = Directory.CreateDirectory(Path.Combine(folder, $"ruler__{length}__org--small__{press}__{ratio}")).FullName;
        File.WriteAllText(
            Path.Combine(path, "config.yaml"),
            $"dataset: ruler\ndata_dir: '{length}'\nmodel: org/small\ndevice: null\npress_name: {press}\n{(ratio.Length > 0 ? $"compression_ratio: {ratio}\n" : "")}fraction: 1.0\nmax_new_tokens: null\nquery_aware: false\nmodel_kwargs:\n  dtype: auto\n{configuration}seed: 42\n");
        IEnumerable<string> rows = Enumerable.Range(0, samples).Select(i =>
            $"niah_single_1,\"['{i}1' '{i}2']\",What?,{(i >= samples - lost ? "nothing" : $"\"It is {i}1, and\n\"\"{i}2\"\"\"")},{ratio}");
        rows = rows.Append("qa_1,\"[\"\"John's\"\", 'Mary']\",Who?,MARY," + ratio);
        File.WriteAllText(Path.Combine(path, "predictions.csv"), "task,answer,question,predicted_answer,compression_ratio\n" + string.Concat(rows.Select(r => r + "\n")));
        double score = Math.Round(100.0 * (samples - lost) / samples, 2);
        File.WriteAllText(Path.Combine(path, "metrics.json"), string.Create(CultureInfo.InvariantCulture, $$$"""{"niah_single_1": {"string_match": {{{score}}}}, "qa_1": {"string_match": 100.0}}"""));
        return path;
    }

    /// <summary>A results file of lm-evaluation-harness with a task of two metrics, RULER at two lengths, perplexity and a group, and the samples of the first two.</summary>
    public static string Harness(string folder)
    {
        Directory.CreateDirectory(folder);
        string path = Path.Combine(folder, "results_2026-01-02T03-04-05.678901.json");
        File.WriteAllText(path, """
            {
              "results": {
                "quiz": {"alias": "quiz", "exact_match,strict": 0.25, "exact_match_stderr,strict": 0.25, "exact_match,flexible": 0.5, "exact_match_stderr,flexible": 0.288675},
                "niah_single_1": {"alias": "niah_single_1", "4096,none": 0.75, "4096_stderr,none": "N/A", "8192,none": 0.5, "8192_stderr,none": "N/A", "16384,none": -1.0},
                "words": {"alias": "words", "word_perplexity,none": 12.5, "bits_per_byte,none": 0.5, "bits_per_byte_stderr,none": NaN},
                "single": {"alias": "single", "acc,none": 0.6, "acc_stderr,none": 0.05, "sample_len": 100},
                "all": {"alias": "all", "acc,none": 0.6}
              },
              "groups": {"all": {"acc,none": 0.6}},
              "group_subtasks": {"all": ["single"], "quiz": []},
              "configs": {"quiz": {"generation_kwargs": {"max_gen_toks": 64}}},
              "n-shot": {"quiz": 5},
              "higher_is_better": {"quiz": {"exact_match": true}, "words": {"word_perplexity": false, "bits_per_byte": false}},
              "n-samples": {"quiz": {"original": 4, "effective": 4}},
              "config": {"model": "hf", "model_args": "pretrained=org/tiny,dtype=auto", "random_seed": 7},
              "date": 1767323045.5,
              "lm_eval_version": "0.4.9"
            }
            """);
        Lines(folder, "quiz", [.. Enumerable.Range(0, 4).SelectMany(i => (object[])[Sample(i, "strict", i == 0 ? 1 : 0), Sample(i, "flexible", i < 2 ? 1 : 0)])]);
        Lines(folder, "niah_single_1", [.. Enumerable.Range(0, 8).Select(i => LengthSample(i, i < 4 ? "4096" : "8192", i % 4 < (i < 4 ? 3 : 2) ? 1.0 : 0.0))]);
        return path;

        static void Lines(string folder, string task, object[] lines) => File.WriteAllLines(
            Path.Combine(folder, $"samples_{task}_2026-01-02T03-04-05.678901.jsonl"), lines.Select(l => JsonSerializer.Serialize(l)));

        static object Sample(int index, string filter, double score) => new
        {
            doc_id = index,
            target = $"gold {index}",
            doc_hash = $"hash {index}",
            filtered_resps = (string[])[$"answer {index}"],
            filter,
            metrics = (string[])["exact_match"],
            exact_match = score,
        };

        static object LengthSample(int index, string length, double score) => new Dictionary<string, object>
        {
            ["doc_id"] = index,
            ["target"] = $"gold {index}",
            ["filtered_resps"] = (string[])[$"answer {index}"],
            ["filter"] = "none",
            ["4096"] = length == "4096" ? score : -1.0,
            ["8192"] = length == "8192" ? score : -1.0,
        };
    }

    /// <summary>Results of The Sparse Frontier's code on variable tracking, of whose samples the last are answered wrong; with predictions and data or without.</summary>
    public static string Reference(string folder, string method, string arguments, double sparsity, int samples, int lost, bool predictions)
    {
        string cell = Path.Combine("ruler_vt", "num_chains@2+num_hops@4+max_input_tokens@8192", "qwen_7b");
        string inMethod = Path.Combine(cell, method, arguments);
        string results = Directory.CreateDirectory(Path.Combine(folder, "results", inMethod)).FullName;
        double mean = (samples - lost) / (double)samples;
        double variance = samples * mean * (1 - mean) / (samples - 1);
        string path = Path.Combine(results, $"evaluation_results_{samples}.json");
        File.WriteAllText(path, JsonSerializer.Serialize(new
        {
            iou = mean,
            iou_variance = variance,
            total_samples = samples,
            average_attention_sparsity = sparsity,
            average_output_tokens = 12.5,
            max_output_tokens = 20,
        }));
        if (predictions)
        {
            string predicted = Directory.CreateDirectory(Path.Combine(folder, "predictions", inMethod)).FullName;
            string data = Directory.CreateDirectory(Path.Combine(folder, "data", cell)).FullName;
            File.WriteAllText(Path.Combine(predicted, "config.json"), """{"random_seed": 43, "max_output_tokens": 1024, "commit_id": "0123456789abcdef"}""");

            // One more sample than the results count, and in the order in which workers happened to end.
            File.WriteAllLines(
                Path.Combine(predicted, "pred.jsonl"),
                Enumerable.Range(0, samples + 1).Reverse().Select(i => JsonSerializer.Serialize(new { pred = i >= samples - lost ? "<answer>NO</answer>" : $"<answer>A{i} B{i}</answer>", output_tokens_len = 12, sparsity, index = i })));
            File.WriteAllLines(
                Path.Combine(data, "data.jsonl"),
                Enumerable.Range(0, samples + 1).Select(i => JsonSerializer.Serialize(new { index = i, input_text = "long", gold_answer = $"A{i} B{i}", length = 8000 + i })));
        }

        return path;
    }
}
