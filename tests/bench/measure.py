"""What a tree of processes did and holds: CPU, sync calls, memory, wake-ups."""
import os
import re
import shutil
import subprocess
import time

SYNCS = ["fsync", "fdatasync", "syncfs", "sync", "sync_file_range", "msync"]


def tree(pid):
    found = [pid]
    for one in found:
        try:
            for task in os.listdir(f"/proc/{one}/task"):
                with open(f"/proc/{one}/task/{task}/children", encoding="ascii") as text:
                    found += [int(word) for word in text.read().split()]
        except OSError:
            pass
    return found


def name_of(pid):
    with open(f"/proc/{pid}/comm", encoding="utf-8") as text:
        return text.read().strip()


def cpu_of(pid):
    """(name, seconds) of one process, all its threads; finer than the ticks of stat."""
    total = 0
    for task in os.listdir(f"/proc/{pid}/task"):
        try:
            with open(f"/proc/{pid}/task/{task}/schedstat", encoding="ascii") as text:
                total += int(text.read().split()[0])
        except OSError:
            pass
    return name_of(pid), total / 1e9


def reaped_cpu(pid):
    """Seconds of the children of PID that are gone."""
    with open(f"/proc/{pid}/stat", encoding="utf-8") as text:
        fields = text.read().rpartition(")")[2].split()
    return (int(fields[13]) + int(fields[14])) / os.sysconf("SC_CLK_TCK")


class Cpu:
    """CPU seconds by name of process between two moments, those that ended in between included."""

    def __init__(self, pid):
        self.pid = pid
        self.before = self.look()
        self.reaped = reaped_cpu(pid)

    def look(self):
        rows = {}
        for pid in tree(self.pid):
            try:
                rows[pid] = cpu_of(pid)
            except OSError:
                pass
        return rows

    def used(self):
        sums = {}
        for pid, (name, seconds) in self.look().items():
            sums[name] = sums.get(name, 0) + seconds - self.before.get(pid, (name, 0))[1]
        gone = reaped_cpu(self.pid) - self.reaped
        if gone > 0:
            # What the ended ones had used before the first look is not ours; it is known.
            alive = set(tree(self.pid))
            gone -= sum(seconds for pid, (_, seconds) in self.before.items() if pid not in alive)
            sums["ended"] = max(gone, 0)
        return sums


def settle(pid, share=0.02, seconds=20):
    """Until the processes use less than SHARE of a core: what a start or a former load left to do is done."""
    end = time.monotonic() + seconds
    while time.monotonic() < end:
        cpu = Cpu(pid)
        time.sleep(0.5)
        if sum(cpu.used().values()) < 0.5 * share:
            return


class Calls:
    """Counts calls by name of process with perf's counters on tracepoints; None where that cannot be."""

    def __init__(self, pid, events):
        self.watchers = {}
        if not shutil.which("perf") or os.getuid() != 0:
            return
        words = [word for event in events for word in ("-e", event)]
        groups = {}
        for one in tree(pid):
            groups.setdefault(name_of(one), []).append(str(one))
        for name, pids in groups.items():
            # A process that starts later counts as the one that started it.
            self.watchers[name] = subprocess.Popen(["perf", "stat", "-x", ";", *words, "-p", ",".join(pids)],
                                                   stdout=subprocess.DEVNULL, stderr=subprocess.PIPE, text=True)
        time.sleep(0.3)

    def count(self):
        """{name: {event: calls}}, or None."""
        sums = {}
        for name, process in self.watchers.items():
            process.send_signal(2)
            rows = [line.split(";") for line in process.communicate()[1].splitlines() if line.count(";") > 2]
            if not rows or any(row[0] == "<not supported>" for row in rows):
                return None
            # "<not counted>": the process did not run at all.
            sums[name] = {row[2]: int(row[0]) if row[0].isdigit() else 0 for row in rows}
        return sums or None


class Syncs(Calls):
    """Sync calls, and all system calls."""
    ALL = "raw_syscalls:sys_enter"

    def __init__(self, pid):
        super().__init__(pid, [f"syscalls:sys_enter_{name}" for name in SYNCS] + [self.ALL])

    def both(self):
        """({name: syncs}, {name: system calls}), or (None, None)."""
        counted = self.count()
        if counted is None:
            return None, None
        return ({name: sum(n for event, n in row.items() if event != self.ALL) for name, row in counted.items()},
                {name: row.get(self.ALL, 0) for name, row in counted.items()})


def memory(pid):
    """{name: octets of PSS} of the tree; needs root where processes let nobody look into them."""
    sums = {}
    for one in tree(pid):
        try:
            with open(f"/proc/{one}/smaps_rollup", encoding="ascii") as text:
                found = re.search(r"^Pss:\s+(\d+) kB", text.read(), re.M)
            sums[name_of(one)] = sums.get(name_of(one), 0) + int(found[1]) * 1024
        except OSError:
            pass
    return sums


def resident(pid):
    """Octets of anonymous memory that PID holds, and of all."""
    with open(f"/proc/{pid}/status", encoding="utf-8") as text:
        status = text.read()
    return tuple(int(re.search(rf"^{word}:\s+(\d+) kB", status, re.M)[1]) * 1024 for word in ("RssAnon", "VmRSS"))


def switches(pid):
    """{name: times that its threads went to sleep by themselves}: each ends with a wake-up."""
    sums = {}
    for one in tree(pid):
        for task in os.listdir(f"/proc/{one}/task"):
            with open(f"/proc/{one}/task/{task}/status", encoding="utf-8") as text:
                found = re.search(r"^voluntary_ctxt_switches:\s+(\d+)", text.read(), re.M)
            sums[name_of(one)] = sums.get(name_of(one), 0) + int(found[1])
    return sums


def drop_caches():
    """What is read next comes from the disk."""
    os.sync()
    with open("/proc/sys/vm/drop_caches", "w", encoding="ascii") as out:
        out.write("3\n")
