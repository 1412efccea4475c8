"""CPU and wall clock from `nightclaw run` to READY, on a fresh home and on one that was used before.

python bench/start.py [--quick]
"""

from house import house, is_quick, median, say


def main() -> None:
    first: list[float] = []
    again: list[float] = []
    walls: list[float] = []
    for _ in range(3 if is_quick() else 7):
        with house() as made:
            made.start()
            first.append(made.cpu())
            made.stop()
            walls.append(made.start())
            again.append(made.cpu())
            made.stop()
    say("start.first_cpu", median(first), "s")
    say("start.cpu", median(again), "s")
    say("start.wall", median(walls), "s")


if __name__ == "__main__":
    main()
