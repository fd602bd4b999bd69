"""The mean loss of a sparse run against the dense one over the samples that both hold, with the 95 % interval of Student's t.

    python3 models/training/paired_loss.py RESULTS/<dense run> RESULTS/<sparse run>
"""
import glob
import json
import math
import statistics
import sys


def scores(folder):
    rows = (json.loads(line) for file in glob.glob(f"{folder}/samples-*.jsonl") for line in open(file, encoding="utf-8"))
    return {row["Index"]: row["Score"] for row in rows}


def student_quantile(degrees):
    """The 97.5 % point, Cornish and Fisher's expansion: right to 1e-4 from 10 degrees of freedom on."""
    z = statistics.NormalDist().inv_cdf(0.975)
    return z + (z**3 + z) / (4 * degrees) + (5 * z**5 + 16 * z**3 + 3 * z) / (96 * degrees**2)


dense, sparse = scores(sys.argv[1]), scores(sys.argv[2])
losses = [dense[index] - sparse[index] for index in sorted(dense.keys() & sparse.keys())]
if len(losses) < 11:
    sys.exit(f"{len(losses)} common samples: at least 11 are needed for the interval.")
mean = statistics.mean(losses)
half = student_quantile(len(losses) - 1) * statistics.stdev(losses) / math.sqrt(len(losses))
print(f"loss {mean:.3f}, 95 % {mean - half:.3f} to {mean + half:.3f}, {len(losses)} samples")
