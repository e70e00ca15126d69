"""What it costs to let OpenMP threads spin while they wait, on an idle machine and beside another process.

    python bench/waiting.py [--rounds N]

Runs one epoch of the default CNN on random images of MNIST's size with 2 threads, in turn with
OMP_WAIT_POLICY=PASSIVE (this project's default) and ACTIVE, alone and beside a busy loop on one core.
"""

import argparse
import os
import statistics
import subprocess
import sys

STEPS = """
import time, torch
from stagewise.models.cnn import CNN
torch.manual_seed(0); torch.set_num_threads(2)
network = CNN((1, 28, 28), 10).to(memory_format=torch.channels_last)
optimizer = torch.optim.AdamW(network.parameters(), fused=True)
x, y = torch.rand(128, 1, 28, 28), torch.randint(10, (128,))
for step in range(160):
    if step == 10: start = time.perf_counter()
    optimizer.zero_grad(); torch.nn.functional.cross_entropy(network(x), y).backward(); optimizer.step()
print(time.perf_counter() - start)
"""


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--rounds", type=int, default=3)
    rounds = parser.parse_args().rounds
    for beside in (False, True):
        seconds: dict[str, list[float]] = {"PASSIVE": [], "ACTIVE": []}
        for _ in range(rounds):
            for policy, values in seconds.items():
                values.append(measure(policy, beside))
        passive, active = (statistics.median(values) for values in seconds.values())
        where = "beside a busy process" if beside else "alone"
        print(f"{where}: PASSIVE {passive:.2f} s, ACTIVE {active:.2f} s, ACTIVE / PASSIVE {active / passive:.2f}")


def measure(policy: str, beside: bool) -> float:
    """Return the seconds of 150 steps under a wait policy."""
    busy = subprocess.Popen([sys.executable, "-c", "while True: pass"]) if beside else None
    try:
        done = subprocess.run(
            [sys.executable, "-c", STEPS],
            env={**os.environ, "OMP_WAIT_POLICY": policy},
            check=True,
            capture_output=True,
            text=True,
        )
    finally:
        if busy:
            busy.kill()
            busy.wait()
    return float(done.stdout)


if __name__ == "__main__":
    main()
