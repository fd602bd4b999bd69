"""Chooses runs of the preset Findings for findings_grid.sh.

    for model in frontier-7m frontier-3m frontier-1m; do sparsefrontier run --preset findings --model $model --device cuda:0 --what-if --json; done | python3 findings_plan.py grid > PLAN

`grid`: dense, six methods and the controls of both phases at nine sparsities, windows, forced sets, floors and tiles in proportion to the length, 50 samples: 109 runs a model, task and length.
`more`: the same runs where claims need more samples to show 0.03, with as many: the shortest and the longest length, the task at which all sizes are far from perfect, the windows of VerticalSlash."""
import json
import sys

LONGEST, SHORTEST = 8192, 1024
EASIER = ("CommonWords", "StoryRetrieval")  # Tasks whose own parameters are a second series; the preset names those of the first.


def is_dense(run):
    return run["Method"] == run["DecodeMethod"] == "Dense"


def is_of_grid(run):
    own = run["Parameters"] or run["DecodeParameters"]
    scaled = is_dense(run) or run["DecodeMethod"] == "OracleTopK" or (not own if run["SequenceLength"] == LONGEST else own)
    return scaled and run["CompressBefore"] == "None" and not (run["Task"] in EASIER and not run["TaskParameters"])


def more(run):
    """Samples of a run; 0 where it is as it is."""
    if run["CompressBefore"] != "None" or run["Task"] in EASIER and not run["TaskParameters"]:
        return 0
    if run["SequenceLength"] == LONGEST and run["Task"] in ("Niah", "StoryRetrieval") and (is_dense(run) or run["Method"] == "VerticalSlash"):
        return 150
    if not is_of_grid(run) or run["SequenceLength"] not in (SHORTEST, LONGEST):
        return 0
    return 160 if run["Task"] == "CommonWords" and run["SequenceLength"] == LONGEST else 70


for line in sys.stdin:
    run = json.loads(line)
    samples = more(run) if sys.argv[1] == "more" else 50 if is_of_grid(run) else 0
    if samples:
        print(json.dumps({**run, "SampleCount": samples}, separators=(",", ":")))
