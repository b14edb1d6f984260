"""Works for a second and ends: many of these must make one counter."""

import time

import waferscope


def main() -> None:
    waferscope.configure(service="inspection")
    with waferscope.job("one-second-inspection", equipment="INSP-01", recipe="BF-193") as job:
        time.sleep(1)
        job.processed(2)


if __name__ == "__main__":
    main()
