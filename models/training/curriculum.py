"""What an embedded model is taught, in which order, and the batches of it: streamed from the engine's task generators, packed without padding.

    python3 curriculum.py --engine "dotnet sparsefrontier.dll" --tokenizer DIRECTORY      checks that every level can be generated; prints its sizes

The engine runs as `task generate --serve`: a request a line in, a binary batch out, so that no data file exists. Needs NumPy alone.
"""
import argparse
import collections
import json
import multiprocessing
import os
import queue
import random
import shlex
import signal
import struct
import subprocess
import threading
from concurrent.futures import ThreadPoolExecutor

import numpy

STOP = "<|im_end|>"
START = "<|im_start|>"


def level(*ingredients):
    """A level is a mixture of (prompt tokens, questions on each context, task parameters); a negative length -n: lengths even over [n / 4, n]."""
    return ingredients


# By task: the share of first responses wholly right (teacher-forced) at which a level is passed, and the levels. The first ones hold a handful of facts, so
# that the task's operation is learned where it is easy to see; the last mixes all lengths up to 8192 at the paper's difficulty where it fits. Variables have
# names of few letters at first: where half of them begin alike, a model must find the statement, not just any name that goes on from the letters written.
# The engine refuses held-out parameters (docs/tasks.md).
CURRICULUM = {
    "Niah": (0.60, [
        level((320, 1, dict(Queries=4, KeyGroups=1))),
        level((512, 1, dict(Queries=6, KeyGroups=1))),
        level((640, 1, dict(Queries=4, KeyGroups=2)), (1024, 1, dict(Queries=8, KeyGroups=1))),
        level((1280, 1, dict(Queries=4)), (1024, 1, dict(Queries=4, KeyGroups=2))),
        level((2048, 1, dict(Queries=4)), (-2048, 1, dict(Queries=2))),
        level((4096, 1, {}), (-4096, 1, {})),
        level((-8192, 1, {}), (-4096, 1, {}), (-2048, 1, dict(Queries=2)), (8192, 1, {}))]),
    "VariableTracking": (0.55, [
        level((192, 2, dict(Chains=2, Hops=1, Letters=5))),
        level((288, 4, dict(Chains=4, Hops=1, Letters=5))),
        level((320, 3, dict(Chains=3, Hops=2, Letters=5))),
        level((512, 4, dict(Chains=4, Hops=3, Letters=6)), (512, 4, dict(Chains=4, Hops=3))),
        level((640, 2, dict(Chains=4, Hops=4, Letters=8)), (768, 4, dict(Chains=8, Hops=3))),
        level((1024, 2, {}), (1024, 4, {})),
        level((2048, 4, {}), (-2048, 3, dict(Chains=6))),
        level((4096, 4, {}), (-4096, 4, {})),
        level((-8192, 4, {}), (-4096, 4, {}), (-2048, 3, dict(Chains=6)), (8192, 4, {}))]),
    "CommonWords": (0.40, [
        level((320, 1, dict(CommonWords=2, CommonFrequency=8, RareFrequency=1))),
        level((448, 1, dict(CommonWords=4, CommonFrequency=8, RareFrequency=1))),
        level((768, 1, dict(CommonWords=6, CommonFrequency=10, RareFrequency=1))),
        level((1280, 1, dict(CommonFrequency=10, RareFrequency=1))),
        level((2048, 1, dict(CommonFrequency=15, RareFrequency=2)), (-2048, 1, dict(CommonFrequency=10, RareFrequency=1))),
        level((4096, 1, {}), (3072, 1, dict(CommonFrequency=20, RareFrequency=2))),
        level((-8192, 1, {}), (4096, 1, {}), (2048, 1, dict(CommonFrequency=15, RareFrequency=2)), (-2048, 1, dict(CommonFrequency=10, RareFrequency=1)))]),
    "StoryRetrieval": (0.70, [
        level((640, 1, dict(Queries=2))),
        level((1088, 1, dict(Queries=4))),
        level((1600, 1, dict(Queries=6))),
        level((2048, 1, dict(Queries=7)), (-2048, 1, dict(Queries=4))),
        level((4096, 1, dict(Queries=16)), (-4096, 1, dict(Queries=6))),
        level((-8192, 1, {}), (4096, 1, dict(Queries=14)), (-2048, 1, dict(Queries=2)), (-4096, 1, dict(Queries=6)), (8192, 1, {}))]),
    "StoryMultiHop": (0.65, [
        level((640, 2, {})),
        level((768, 3, {})),
        level((1280, 5, {})),
        level((2048, 8, {}), (-2048, 6, {})),
        level((4096, 12, {}), (-4096, 8, {})),
        level((-8192, 12, {}), (-4096, 8, {}), (-2048, 6, {}), (8192, 12, {}))]),
    "StoryFiltering": (0.70, [
        level((640, 1, dict(Chapters=1))),
        level((1024, 1, dict(Chapters=2))),
        level((2048, 1, {}), (-2048, 1, dict(Chapters=2))),
        level((4096, 1, {}), (-4096, 1, {})),
        level((-8192, 1, {}), (-4096, 1, {}), (-2048, 1, dict(Chapters=2)), (8192, 1, {}))]),
}
FULL = 0.3  # share of the last level's contexts of 2048 tokens and more that carry the full instructions; all others carry the short ones


class Refused(Exception):
    """A request that the engine cannot serve."""


class Engine:
    """One engine process."""

    def __init__(self, command, tokenizer, threads):
        environment = dict(os.environ, DOTNET_PROCESSOR_COUNT=str(threads), DOTNET_gcServer="0")
        self.process = subprocess.Popen(
            shlex.split(command) + ["task", "generate", "--serve", "--tokenizer", tokenizer],
            stdin=subprocess.PIPE, stdout=subprocess.PIPE, env=environment, start_new_session=True)  # a terminal's Ctrl-C is for the trainer alone
        with open(os.path.join(tokenizer, "tokenizer.json"), encoding="utf-8") as file:
            added = {t["content"]: t["id"] for t in json.load(file)["added_tokens"]}
        self.start_token, self.stop_token = added[START], added[STOP]

    def samples(self, task, ingredient, count, short, seed, start, split="training"):
        """A list of (token ids, number of the response that a token belongs to or -1), one entry a sample."""
        length, turns, parameters = ingredient
        line = dict(task=task, length=abs(length), variableLength=length < 0, turns=turns, count=count, seed=seed,
                    start=start, split=split, parameters=parameters, shortInstructions=short, stop=STOP)
        self.process.stdin.write((json.dumps(line) + "\n").encode())
        self.process.stdin.flush()
        count, width = struct.unpack("<ii", self.read(8))
        if count < 0:
            raise Refused(f"{task} {ingredient}: {self.read(width).decode()}")
        ids = numpy.frombuffer(self.read(4 * count * width), dtype="<i4").reshape(count, width)
        starts = numpy.frombuffer(self.read(4 * count), dtype="<i4")
        # A response runs from behind the header of an assistant's message, which is every second one, to its stop token.
        opened = numpy.cumsum(ids == self.start_token, 1)
        stops = ids == self.stop_token
        closed = numpy.cumsum(stops, 1) - stops
        inside = (opened > 0) & (opened % 2 == 0) & (closed == opened - 1)
        header = int(starts[0] - numpy.argmax(opened[0] == 2))
        inside[:, header:] &= inside[:, :-header]
        inside[:, :header] = False
        response = numpy.where(inside & (ids >= 0), opened // 2 - 1, -1).astype(numpy.int32)
        lengths = (ids >= 0).sum(1)
        return [(ids[i, :lengths[i]], response[i, :lengths[i]]) for i in range(count)]

    def read(self, size):
        data = self.process.stdout.read(size)
        if data is None or len(data) < size:
            raise RuntimeError("the engine ended; its message is above")
        return data


def pack(samples, tokens, pad):
    """
    Packs (ids, response, group of the first response, group of the others, ...) samples one behind the other into exactly `tokens` tokens and takes them off the list; what is left at the end is
    samples of padding. Returns arrays: ids, positions within the samples, bounds of the samples, and for every token to be predicted the index of
    the token before it, its id, the number of its response; and the group of each response.
    """
    ids, bounds, predict, target, number, groups, filled, taken = [], [0], [], [], [], [], 0, []
    for i, (sample, response, group, later, *_) in enumerate(samples):
        if filled + len(sample) > tokens:
            if tokens - filled < 512:
                break
            continue
        where = numpy.flatnonzero(response >= 0)
        predict.append(where + (filled - 1))
        target.append(sample[where])
        number.append(response[where] + len(groups))
        groups += [group] + [later] * int(response.max())
        ids.append(sample)
        filled += len(sample)
        bounds.append(filled)
        taken.append(i)
    for i in reversed(taken):
        del samples[i]
    if filled < tokens:
        ids.append(numpy.full(tokens - filled, pad, numpy.int32))
        bounds += [*range(filled + 512, tokens, 512), tokens]
    bounds = numpy.array(bounds, numpy.int32)
    positions = numpy.arange(tokens, dtype=numpy.int32) - numpy.repeat(bounds[:-1], numpy.diff(bounds))
    return dict(
        ids=numpy.concatenate(ids).astype(numpy.int32), positions=positions, bounds=bounds, predict=numpy.concatenate(predict).astype(numpy.int64),
        target=numpy.concatenate(target).astype(numpy.int64), number=numpy.concatenate(number).astype(numpy.int64),
        groups=numpy.array(groups, numpy.int64), padding=tokens - filled)


class Feed:
    """
    A process that keeps packed batches ready. A batch is a function of the seed and of the levels asked for so far, whichever engines serve it: a feed made
    of another's state() goes on with the very batch that the other would have given next.
    """

    AHEAD = 4  # batches asked for before the first is taken
    ASKED = 48  # requests that the engines have before them

    def __init__(self, command, tokenizer, tasks, engines, threads, tokens, pad, seed, state):
        context = multiprocessing.get_context("fork")
        self.tasks, self.wanted, (self.batches, self.sender) = tasks, context.SimpleQueue(), context.Pipe(duplex=False)
        self.made, self.ahead = state and state["made"], collections.deque(maxlen=self.AHEAD)
        for levels, size in state["ahead"] if state else [([0] * len(tasks), tokens)] * self.AHEAD:
            self.want(levels, size)
        arguments = (command, tokenizer, engines, threads, pad, seed, self.made)
        self.process = context.Process(target=self.work, args=arguments, daemon=True)
        self.process.start()
        self.sender.close()  # a batch that the process's end cuts short ends as well

    def want(self, levels, tokens):
        """Asks for one more batch, of so many tokens, of tasks at these levels."""
        self.ahead.append((list(levels), tokens))
        self.wanted.put(self.ahead[-1])

    def take(self, stopping):
        """The next batch; None once `stopping` is no longer empty, or where none comes any more."""
        while not self.batches.poll(1):
            if stopping:
                return None
        try:
            batch, self.made = self.batches.recv()
        except (EOFError, OSError):
            self.process.join()
            return None
        return batch

    def state(self):
        """How to go on behind the last batch taken."""
        return dict(made=self.made, ahead=list(self.ahead))

    def work(self, *arguments):
        signal.signal(signal.SIGINT, signal.SIG_IGN)
        threading.Thread(target=lambda: (multiprocessing.parent_process().join(), os._exit(1)), daemon=True).start()
        try:
            self.make(*arguments)
        except Exception as error:
            print(f"batches ended: {error}", flush=True)
            os._exit(1)

    def make(self, command, tokenizer, engines, threads, pad, seed, state):
        chooser, mixer, workers = random.Random(seed), random.Random(seed + 1), ThreadPoolExecutor(engines)
        idle, ready = queue.SimpleQueue(), queue.SimpleQueue()
        for _ in range(engines):
            idle.put(Engine(command, tokenizer, threads))

        def send():
            while True:
                self.sender.send(ready.get())

        threading.Thread(target=send, daemon=True).start()

        def choose(reached):
            # Every task gets as many tokens as any other, one on its way three times as many as one that has arrived; a third replays earlier levels.
            nonlocal start
            i = min(range(len(served)), key=lambda k: (served[k], k))
            levels, now = CURRICULUM[self.tasks[i]][1], reached[i]
            last = now == len(levels) - 1
            chosen = chooser.randrange(now + 1) if chooser.random() < (0.15 if last else 0.3) else now
            part = chooser.randrange(len(levels[chosen]))
            length = abs(levels[chosen][part][0])
            count = max(1, 12288 // length)
            served[i] += count * length * (1 if last else 1 / 3)
            full = chosen == len(levels) - 1 and length > 2048 and chooser.random() < FULL
            start += count
            return i, chosen, part, count, not full, start - count, chosen == now

        def serve(request):
            i, chosen, part, count, short, first, _ = request
            engine = idle.get()
            try:
                return engine.samples(self.tasks[i], CURRICULUM[self.tasks[i]][1][chosen][part], count, short, seed, first)
            except Refused as error:
                return error
            finally:
                idle.put(engine)

        def ask(request):
            return request, workers.submit(serve, request)

        def entry(request, number, sample):
            # Later responses on a context are easier than the first, which is what a task asks for: they do not count for the level.
            i, later = request[0], len(self.tasks) + request[0]
            return *sample, i if request[-1] else later, later, request, number

        served, start, refused, pool, asked = [0.0] * len(self.tasks), 0, 0, [], collections.deque()
        if state:  # samples are made again from the requests that they came from
            served, start, refused = list(state["served"]), state["start"], state["refused"]
            for generator, (version, numbers, gauss) in ((chooser, state["chooser"]), (mixer, state["mixer"])):
                generator.setstate((version, tuple(numbers), gauss))
            origins = [(tuple(request), number) for request, number in state["pool"]]
            again = dict(ask(request) for request in dict(origins))
            asked.extend(ask(tuple(request)) for request in state["asked"])
            pool = [entry(request, number, again[request].result()[number]) for request, number in origins]
        while True:
            reached, tokens = self.wanted.get()
            while sum(len(s[0]) for s in pool) < 3 * tokens:
                while len(asked) < self.ASKED:
                    asked.append(ask(choose(reached)))
                request, answer = asked.popleft()
                made = answer.result()
                if isinstance(made, Refused):  # a rare sample that does not fit its length; a level that never fits ends the run
                    refused += 1
                    print(f"refused: {made}", flush=True)
                    if refused > 100:
                        raise made
                    continue
                pool += [entry(request, number, sample) for number, sample in enumerate(made)]
            mixer.shuffle(pool)
            batch = pack(pool, tokens, pad)
            ready.put((batch, dict(
                chooser=chooser.getstate(), mixer=mixer.getstate(), served=list(served), start=start, refused=refused,
                pool=[s[4:] for s in pool], asked=[request for request, _ in asked])))


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--engine", required=True)
    parser.add_argument("--tokenizer", required=True)
    options = parser.parse_args()
    engine = Engine(options.engine, options.tokenizer, os.cpu_count())
    for task, (gate, levels) in CURRICULUM.items():
        for number, ingredients in enumerate(levels):
            for ingredient in ingredients:
                full = number == len(levels) - 1 and abs(ingredient[0]) > 2048
                for short in ([True, False] if full else [True]):
                    samples = engine.samples(task, ingredient, 48, short, 1, 0)
                    total, longest = sum(len(a) for a, _ in samples), max(len(a) for a, _ in samples)
                    taught = sum(int((b >= 0).sum()) for _, b in samples)
                    print(f"{task} {number} {'short' if short else 'full '} {ingredient}: {total / len(samples):.0f} tokens, {longest} at most, "
                          f"{100 * taught / total:.0f} % of responses", flush=True)


if __name__ == "__main__":
    main()
