"""What limits a large cluster: calculated from measured figures, not run.

Takes the figures of ray_overhead.py and of your own model; every one is an argument.
"""

import argparse
import sys


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    add = parser.add_argument
    add("--gpus", type=int, default=64, help="half of them answer, half learn")
    add("--answers", type=float, default=10.0, help="of a GPU that answers, each second")
    add("--step", type=float, required=True, help="CPU s of a step of the environment, a core")
    add("--up", type=float, required=True, help="kB to the server for each step")
    add("--back", type=float, required=True, help="kB to the learner for each step")
    add("--driver", type=float, required=True, help="CPU s of the learner's process for each step")
    add("--weights", type=float, default=16.0, help="GB: 8B parameters in bfloat16")
    add("--steps", type=int, default=4096, help="answers of a batch that is learned from")
    add("--link", type=float, default=25.0, help="Gbit/s of a node")
    args = parser.parse_args()
    half = args.gpus // 2
    rate = half * args.answers
    link = args.link * 1e6 / 8  # kB/s
    batch = args.steps / rate
    sent = args.weights * 1e6 / link
    rows = [
        ("answers and steps", f"{rate:.0f} /s", "all GPUs that answer are busy"),
        ("cores for environments", f"{rate * args.step:.0f}", f"{args.step:.3f} CPU s a step"),
        ("time of a batch", f"{batch:.0f} s", f"{args.steps} answers"),
        ("pictures to the servers", _share(rate * args.up, link), f"{args.up:.0f} kB a step"),
        ("recordings to the learner's node", _share(rate * args.back, link),
         f"{args.back:.0f} kB a step, into one node"),
        ("learner's process, taking them", f"{100 * rate * args.driver:.0f} % of a core",
         f"{1000 * args.driver:.2f} ms a step, one thread"),
        ("weights to one server", f"{sent:.1f} s, {100 * sent / batch:.0f} % of a batch",
         f"{args.weights:g} GB over a link of {args.link:g} Gbit/s"),
        ("object store, two batches", f"{2 * args.steps * args.back / 1e6:.1f} GB", "staleness=1"),
    ]  # fmt: skip
    print(f"CALCULATED for {args.gpus} GPUs, not run. One server answers on one GPU today: the")
    print(f"cluster stands at its {args.answers:g} answers/s. With {half} of them it would take:")
    for what, value, why in rows:
        print(f"  {what:<36}{value:>22}   {why}")
    return 0


def _share(kb: float, link: float) -> str:
    return f"{kb / 1000:.0f} MB/s, {100 * kb / link:.0f} % of link"


if __name__ == "__main__":
    sys.exit(main())
