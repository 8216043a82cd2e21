"""The tasks of a process with fiberhost schedulers, in gdb: live, or from a core file.

    (gdb) source fiberhost.py
    (gdb) fiberhost tasks           a line for each task
    (gdb) fiberhost bt 7            the frames of a parked task, by its number
    (gdb) fiberhost bt all          those of all parked tasks

A task that runs, or that has its thread for itself, is in gdb's own list of threads (`thread apply all backtrace`).
Frames are found on the jump switch (x86-64); with corosensei's switch only the list is there.

The kernel's core files have all stacks. gdb's own (`generate-core-file`, gcore) stop at the first guard that is no mapping,
so the scheduler they are of must have been built with `Guards::Mprotect`.

How: the scheduler has a table of where things stand (`scheduler/src/task/debugger.rs`), so no types are needed. A parked
task's stack pointer points to the address at which it goes on, and to its rbx and rbp (`scheduler/src/fiber/switch.rs`).
For its frames, the innermost frame of the selected thread is said to have been called from there.
"""

import re
import struct

import gdb
import gdb.unwinder

MARK = b"fiberhost tasks\0"
VERSION = 1
FIELDS = (
    "chunks chunk_count record_size jumps reasons sp wait kind unusual held reason id extra"
    " name name_text on_thread held_max"
).split()
WORD = 8
KIND_FRESH, KIND_STARTED = 1, 2
# The phases of the wait word.
PHASE, ARMED = 0b11, 1
FRAMES_MAX = 200


def read(address, size):
    return bytes(gdb.selected_inferior().read_memory(address, size))


def word(address):
    return struct.unpack("<Q", read(address, WORD))[0]


def text(address, size):
    return read(address, size).decode("utf-8", "replace")


class Layout:
    """The table in one copy of the scheduler; a process may have several."""

    def __init__(self, address):
        if read(address, len(MARK)) != MARK:
            raise gdb.GdbError("the table at %#x has another mark" % address)
        address += len(MARK)
        if word(address) != VERSION:
            raise gdb.GdbError("version %d of the table is not known to this script" % word(address))
        for place, field in enumerate(FIELDS, 1):
            setattr(self, field, word(address + place * WORD))

    def reason_name(self, number):
        pair = self.reasons + number * 2 * WORD
        return text(word(pair), word(pair + WORD))

    def tasks(self):
        for chunk in range(self.chunk_count):
            pair = self.chunks + chunk * 2 * WORD
            for place in range(word(pair + WORD)):
                task = Task(self, word(pair) + place * self.record_size)
                if task.kind in (KIND_FRESH, KIND_STARTED):
                    yield task


class Task:
    def __init__(self, layout, address):
        self.layout = layout
        record = read(address, layout.record_size)

        def at(offset):
            return struct.unpack_from("<Q", record, offset)[0]

        self.kind = record[layout.kind]
        self.id = at(layout.id)
        self.sp = at(layout.sp)
        self.reason = record[layout.reason]
        self.waits = at(layout.wait) & PHASE == ARMED
        self.has_thread = record[layout.unusual] & layout.on_thread or at(layout.held) > layout.held_max
        self.extra = at(layout.extra)

    def name(self):
        if self.extra == 0:
            return ""
        pair = self.extra + self.layout.name
        pointer = word(pair)
        return text(pointer + self.layout.name_text, word(pair + WORD)) if pointer else ""

    def is_parked(self):
        """Whether its frames are on a stack that no thread runs on."""
        return self.kind == KIND_STARTED and self.waits and not self.has_thread and self.sp != 0

    def state(self):
        if self.kind == KIND_FRESH:
            return "not started"
        if not self.waits:
            return "runs, or could"
        state = "waits: %s" % self.layout.reason_name(self.reason)
        return state + " (with its thread)" if self.has_thread else state

    def line(self):
        # What stands in a name may not be meant for a terminal.
        name = "".join(sign if sign.isprintable() else "?" for sign in self.name())
        return "%8d  %-30s %s" % (self.id, self.state(), name)


def layouts():
    found = set()
    # With types it has a line of the source, without them an address.
    for line in gdb.execute("info variables task::debugger::FOR_DEBUGGERS", to_string=True).splitlines():
        plain = re.match(r"(0x[0-9a-f]+)\s", line)
        if plain:
            found.add(int(plain.group(1), 16))
            continue
        typed = re.search(r"\b(\w+::task::debugger::FOR_DEBUGGERS)\b", line)
        if typed:
            symbol = gdb.lookup_static_symbol(typed.group(1)) or gdb.lookup_global_symbol(typed.group(1))
            if symbol is not None:
                found.add(int(symbol.value().address))
    if not found:
        raise gdb.GdbError("no scheduler is in this process, or its symbols were stripped")
    return [Layout(address) for address in sorted(found)]


def all_tasks():
    tasks = [task for layout in layouts() for task in layout.tasks()]
    return sorted(tasks, key=lambda task: task.id)


class FrameId:
    def __init__(self, sp, pc):
        self.sp = sp
        self.pc = pc


class ParkedUnwinder(gdb.unwinder.Unwinder):
    """While a task is set, the innermost frame of each thread has it for its caller."""

    def __init__(self):
        super().__init__("fiberhost")
        self.sp = None

    def __call__(self, pending):
        if self.sp is None:
            return None
        # Only the innermost one has the thread's own registers.
        if int(pending.read_register("rsp")) != self.thread_sp:
            return None
        address_type = gdb.lookup_type("unsigned long")
        pc = pending.read_register("rip")
        # Below the task's frames: an inner frame has the lower address.
        info = pending.create_unwind_info(FrameId(gdb.Value(self.sp).cast(address_type), pc))
        go_on, rbx, rbp = struct.unpack("<3Q", read(self.sp, 3 * WORD))
        for register, value in (("rip", go_on), ("rbx", rbx), ("rbp", rbp), ("rsp", self.sp + 3 * WORD)):
            info.add_saved_register(register, gdb.Value(value).cast(pending.read_register(register).type))
        return info

    def frames(self, sp):
        """What stands on a stack, as lines."""
        gdb.newest_frame().select()
        self.thread_sp = int(gdb.newest_frame().read_register("rsp"))
        self.sp = sp
        gdb.invalidate_cached_frames()
        lines = []
        try:
            frame = gdb.newest_frame().older()
            while frame is not None and len(lines) < FRAMES_MAX:
                lines.append("  #%-3d %s" % (len(lines), shown(frame)))
                frame = frame.older()
        except gdb.error as error:
            lines.append("  the rest cannot be read: %s" % error)
        finally:
            self.sp = None
            gdb.invalidate_cached_frames()
        return lines


def shown(frame):
    # Without types a name ends in a hash.
    name = re.sub(r"::h[0-9a-f]{16}$", "", frame.name() or "??")
    line = "%#018x in %s" % (frame.pc(), name)
    place = frame.find_sal()
    if place.symtab is not None:
        line += " at %s:%d" % (place.symtab.filename, place.line)
    return line


UNWINDER = ParkedUnwinder()


class Fiberhost(gdb.Command):
    """The tasks of fiberhost schedulers: `fiberhost tasks`, `fiberhost bt NUMBER`, `fiberhost bt all`."""

    def __init__(self):
        super().__init__("fiberhost", gdb.COMMAND_STACK, prefix=True)


class Tasks(gdb.Command):
    """A line for each task: its number, what it does, its name."""

    def __init__(self):
        super().__init__("fiberhost tasks", gdb.COMMAND_STACK)

    def invoke(self, argument, from_tty):
        tasks = all_tasks()
        for task in tasks:
            print(task.line())
        print("%d tasks, %d of them parked" % (len(tasks), sum(task.is_parked() for task in tasks)))


class Backtrace(gdb.Command):
    """The frames of a parked task by its number, or of all of them: `fiberhost bt all`."""

    def __init__(self):
        super().__init__("fiberhost bt", gdb.COMMAND_STACK)

    def invoke(self, argument, from_tty):
        wanted = argument.strip()
        if wanted != "all" and not wanted.isdigit():
            raise gdb.GdbError("the number of a task is needed, or `all`")
        tasks = all_tasks()
        if wanted == "all":
            tasks = [task for task in tasks if task.is_parked()]
        else:
            tasks = [task for task in tasks if task.id == int(wanted)]
            if not tasks:
                raise gdb.GdbError("there is no task %s" % wanted)
            if not tasks[0].is_parked():
                raise gdb.GdbError("task %s is not parked: %s" % (wanted, tasks[0].state()))
        for task in tasks:
            print(task.line())
            if not task.layout.jumps:
                print("  this scheduler was built without the jump switch: its stacks are not known here")
                continue
            try:
                is_there = word(task.sp) != 0
            except gdb.MemoryError:
                is_there = False
            if not is_there:
                print("  its stack is not in this core file")
                continue
            for line in UNWINDER.frames(task.sp):
                print(line)


gdb.unwinder.register_unwinder(None, UNWINDER, replace=True)
Fiberhost()
Tasks()
Backtrace()
