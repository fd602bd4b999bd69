"""Draws docs/images/frontier.svg: score against density on a logarithmic axis, with 95 % intervals and the frontier as a step line.

    dotnet run --project src/SparseFrontier.Cli -c Release -- run
    dotnet run --project src/SparseFrontier.Cli -c Release -- export tests/golden/default-comparison.jsonl.br results --force
    dotnet run --project src/SparseFrontier.Cli -c Release -- pareto tests/golden/default-comparison.jsonl.br --cost Density --json | python3 docs/images/frontier.py > docs/images/frontier.svg

What README shows is printed of the same rows by Get-SparsityPareto -OptimalOnly.
"""
import json
import math
import sys

COLOURS = {"Dense": "#57606a", "VerticalSlash": "#0969da", "BlockSparse": "#1a7f37", "FlexPrefill": "#8250df",
           "SnapKV": "#bc4c00", "AdaSnapKV": "#cf222e", "Quest": "#9a6700"}
WIDTH, HEIGHT, LEFT, TOP, RIGHT, BOTTOM = 720, 330, 56, 34, 150, 44
points = [json.loads(line) for line in sys.stdin if line.strip()]
low = min(p["Cost"] for p in points) * 0.9


def x(cost):
    return LEFT + (math.log(cost) - math.log(low)) / -math.log(low) * (WIDTH - LEFT - RIGHT)


def y(value):
    return TOP + (1 - value) * (HEIGHT - TOP - BOTTOM)


def name(point):
    return point["Method"] if point["DecodeMethod"] == "Dense" else point["DecodeMethod"]


print(f'<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 {WIDTH} {HEIGHT}" font-family="sans-serif" font-size="12" fill="#57606a">')
print(f'<rect width="{WIDTH}" height="{HEIGHT}" fill="#ffffff"/>')
first = points[0]
print(f'<text x="{LEFT}" y="18" font-size="14" fill="#1f2328">{first["Task"]} at {first["SequenceLength"]} tokens, {first["Model"]}: score against density</text>')
for value in (0, 0.25, 0.5, 0.75, 1):
    print(f'<line x1="{LEFT}" x2="{WIDTH - RIGHT}" y1="{y(value):.1f}" y2="{y(value):.1f}" stroke="#d0d7de"/>'
          f'<text x="{LEFT - 8}" y="{y(value) + 4:.1f}" text-anchor="end">{value}</text>')
for cost in (0.15, 0.25, 0.5, 1):
    print(f'<text x="{x(cost):.1f}" y="{HEIGHT - BOTTOM + 18}" text-anchor="middle">{cost}</text>')
print(f'<text x="{(LEFT + WIDTH - RIGHT) / 2}" y="{HEIGHT - 8}" text-anchor="middle">density: share of query-key pairs, or of cached tokens, attended</text>')
path, height = "", None
for p in sorted((p for p in points if p["IsOptimal"]), key=lambda p: (p["Cost"], p["Value"])):
    path += f'M{x(p["Cost"]):.1f},{y(p["Value"]):.1f}' if height is None else f'H{x(p["Cost"]):.1f}V{y(p["Value"]):.1f}'
    height = p["Value"]
print(f'<path d="{path}H{x(1):.1f}" fill="none" stroke="#1f2328" stroke-dasharray="4 3"/>')
# VerticalSlash and FlexPrefill coincide where FlexPrefill's coverage is 0: the larger mark stays visible beneath.
for p in sorted(points, key=lambda p: name(p) == "FlexPrefill"):
    colour, cx = COLOURS[name(p)], x(p["Cost"])
    print(f'<line x1="{cx:.1f}" x2="{cx:.1f}" y1="{y(p["ValueLow"]):.1f}" y2="{y(p["ValueHigh"]):.1f}" stroke="{colour}" stroke-opacity="0.35"/>'
          f'<circle cx="{cx:.1f}" cy="{y(p["Value"]):.1f}" r="{3 if name(p) == "FlexPrefill" else 5}" fill="{colour}"/>')
for i, (method, colour) in enumerate(COLOURS.items()):
    print(f'<circle cx="{WIDTH - RIGHT + 24}" cy="{TOP + 12 + 20 * i}" r="5" fill="{colour}"/>'
          f'<text x="{WIDTH - RIGHT + 36}" y="{TOP + 16 + 20 * i}">{method}</text>')
print("</svg>")
