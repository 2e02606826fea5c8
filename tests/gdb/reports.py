# SPDX-License-Identifier: MIT
"""
For gdb: the reports of the shell, read from a machine that has stopped.

    lab-zones		each zone: pages by column, marks, reserves
    lab-buddy		free blocks by zone, type and order
    lab-page ADDR	the page that an address, a struct page * or a frame names
    lab-owner [NAME]	owners and their exclusive pages
    lab-threads [NAME]	threads and what they wait for; NAME's stack
    lab-gfp MASK	the names of the flags in it

None calls a function of the kernel, because a stopped machine may hold any lock: they
read variables, by the debug information.  The answer is as consistent as the place where
the machine stopped: inside the allocator a page may be on no list.
"""

import functools
import os
import re

import gdb
from printers import enum_name, enum_names, gfp_names, place_text

ADDRESS_BITS = (1 << 64) - 1


class Problem(Exception):
    """A sentence for the person at gdb."""


def static(name):
    """A static variable of the kernel; its file need not be the current one."""
    symbol = gdb.lookup_static_symbol(name) or gdb.lookup_global_symbol(name)
    if symbol is None:
        raise Problem(f"no variable {name}: is this Labyrinth's kernel?")
    return symbol.value()


@functools.cache
def constant(header, name):
    """The number of a #define, which debug information does not have."""
    root = os.path.dirname(os.path.dirname(os.path.dirname(__file__)))
    with open(os.path.join(root, header)) as file:
        return int(re.search(rf"#define {name}\s+(\d+)", file.read())[1])


def page_size():
    return 1 << constant("lib/types.h", "PAGE_SHIFT")


def pageblock_pages():
    return 1 << constant("mm/zone.h", "PAGEBLOCK_ORDER")


def main_node():
    # The variable, not the function of mm/node.h.
    node = static("the_main_node")
    if int(node) == 0:
        raise Problem("there is no node yet")
    return node


def elements(array):
    return [array[i] for i in range(array.type.range()[1] + 1)]


def zones():
    return [zone for zone in elements(main_node()["zone"]) if int(zone["spanned"])]


def container(link, type_name, *fields):
    """The struct whose member (of a member ...) LINK points to."""
    wanted = gdb.lookup_type(f"struct {type_name}")
    offset, inner = 0, wanted
    for name in fields:
        field = next(f for f in inner.fields() if f.name == name)
        offset += field.bitpos // 8
        inner = field.type
    address = int(link) - offset
    return gdb.Value(address & ADDRESS_BITS).cast(wanted.pointer()).dereference()


def linked(head):
    """The links of a list, but not its head."""
    link = head["next"]
    while int(link) != int(head.address):
        yield link
        link = link["next"]


# ---- lab-zones, lab-buddy ------------------------------------------------------


def pages_on_lists(zone):
    """On the lists of CPUs: the zone counts them as used."""
    sets = [s for s in elements(zone["pcp"]) if int(s)]
    return sum(int(s["count"]) for s in sets)


def pages_on_stacks(zone):
    """Parked, but counted as exclusive: mm/exclusive/exclusive_stack.c."""
    frames = [
        stack["frame"][i]
        for stack in elements(main_node()["pool"]["stack"])
        for i in range(int(stack["count"]))
    ]
    return sum(int(page["zone"]) == int(zone["type"]) for page in frames)


def lab_zones(_argument):
    """lab-zones: each zone's pages by column, its marks and its reserves."""
    marks = [n for n in enum_names("watermark").values() if not n.endswith("COUNT")]
    for zone in zones():
        on_lists, on_stacks = pages_on_lists(zone), pages_on_stacks(zone)
        print(
            f"{zone['name'].string()}: frames {int(zone['start_pfn']):#x} to "
            f"{int(zone['start_pfn'] + zone['spanned']):#x}, present "
            f"{int(zone['present'])}, managed {int(zone['managed'])}"
        )
        columns = {
            "free": int(zone["free_pages"]),
            "isolated": int(zone["isolated_pages"]),
            "on lists": on_lists,
            "used": int(zone["used_pages"]) - on_lists,
            "parked": int(zone["parked_pages"]) + on_stacks,
            "exclusive": int(zone["exclusive_pages"]) - on_stacks,
            "bad": int(zone["bad_pages"]),
            "in flight": int(zone["loose_pages"]),
        }
        shown = [f"{name} {count}" for name, count in columns.items()]
        print(f"  {', '.join(shown)}")
        heights = [
            f"{name.removeprefix('WMARK_').lower()} {int(zone['watermark'][i])}"
            for i, name in enumerate(marks)
        ]
        reserves = [int(pages) for pages in elements(zone["lowmem_reserve"])]
        print(
            f"  {', '.join(heights)}, boost {int(zone['watermark_boost'])}, "
            f"protection {tuple(reserves)}, HIGHATOMIC "
            f"{int(zone['nr_reserved_highatomic'])}"
        )


def lab_buddy(_argument):
    """lab-buddy: free blocks by zone, type of pageblock and order."""
    orders = range(zones()[0]["free_area"].type.range()[1] + 1)
    print("free blocks of order    " + "".join(f"{o:7}" for o in orders))
    types = [
        (value, name.removeprefix("MIGRATE_").lower())
        for value, name in enum_names("migratetype").items()
        if name not in ("MIGRATE_PCPTYPES", "MIGRATE_TYPES")
    ]
    for zone in zones():
        name = zone["name"].string()
        for value, kind in types:
            counts = [int(zone["free_area"][o]["of_type"][value]) for o in orders]
            if any(counts):
                text = "".join(f"{count:7}" for count in counts)
                print(f"{name:8} {kind:<15}{text}")
        total = [int(zone["free_area"][o]["count"]) for o in orders]
        print(f"{name:8} {'all':<15}" + "".join(f"{count:7}" for count in total))


# ---- lab-page --------------------------------------------------------------------


def physical(address):
    """Where the page tables of now lead; None: nowhere."""
    said = gdb.execute(f"monitor gva2gpa {address:#x}", to_string=True)
    word = said.split()[-1]
    return int(word, 16) if word.startswith("0x") else None


def direct_map_base():
    """The struct pages are in it, and mapped."""
    pages = int(main_node()["pages"]) & ADDRESS_BITS
    where = physical(pages)
    if where is None:
        raise Problem("the direct map cannot be seen from here")
    return pages - where


def zone_of_frame(pfn):
    for zone in zones():
        start = int(zone["start_pfn"])
        if start <= pfn < start + int(zone["spanned"]):
            return zone
    return None


def block_of_frame(zone, pfn):
    """The head of the block with the frame, or its own struct page."""
    none = next(v for v, n in enum_names("page_state").items() if n == "PAGE_NONE")
    start = int(zone["start_pfn"])
    for order in range(zone["free_area"].type.range()[1] + 1):
        head = pfn & ~((1 << order) - 1)
        if head < start:
            break
        page = zone["pages"][head - start]
        if int(page["state"]) != none and head + (1 << int(page["order"])) > pfn:
            return page
    return zone["pages"][pfn - start]


def describe_frame(pfn):
    zone = zone_of_frame(pfn)
    if zone is None:
        print(f"frame {pfn:#x} is in no zone")
        return
    start = int(zone["start_pfn"])
    block = zone["blocks"][pfn // pageblock_pages() - start // pageblock_pages()]
    kind = enum_name("migratetype", block["type"], "MIGRATE_")
    page = zone["pages"][pfn - start]
    print(f"frame {pfn:#x}, pageblock {kind}, struct page {int(page.address) & ADDRESS_BITS:#x}")
    head = block_of_frame(zone, pfn)
    if head.address != page.address:
        print(f"inside the block of frame {head_frame(zone, head):#x}:")
    print(head.format_string())


def head_frame(zone, page):
    size = page.type.sizeof
    distance = int(page.address) - int(zone["pages"])
    return int(zone["start_pfn"]) + distance // size


def owner_with_window(address):
    for owner in owners():
        base = int(owner["window"]["base"])
        size = 8 * owner["entries"].type.sizeof * page_size()
        if base and base <= address < base + size:
            return owner
    return None


def frame_in_window(owner, address):
    """By the window's own table, which need not be the open one."""
    entry = (address - int(owner["window"]["base"])) // page_size()
    value = int(owner["window"]["table"][entry])
    return entry, (value & ((1 << 52) - 1)) // page_size() if value & 1 else None


def page_of_window(owner, address):
    entry, pfn = frame_in_window(owner, address)
    print(
        f"{address:#x}: entry {entry} of the window of {owner['name'].string()}, "
        + ("empty" if pfn is None else "which others do not see")
    )
    if pfn is not None:
        describe_frame(pfn)


def page_of_address(address):
    base = direct_map_base()
    where = physical(address)
    frames = int(main_node()["start_pfn"] + main_node()["page_count"])
    if where is not None:
        print(f"{address:#x}: mapped, physical {where:#x}")
        describe_frame(where // page_size())
    elif base <= address < base + frames * page_size():
        print(f"{address:#x}: taken out of the direct map")
        describe_frame((address - base) // page_size())
    else:
        print(f"{address:#x}: not mapped, and in no window")


def lab_page(argument):
    """lab-page ADDR: the page that an address, a struct page * or a frame names."""
    if not argument:
        raise Problem("lab-page ADDR: an address, a struct page *, or a frame's number")
    value = gdb.parse_and_eval(argument)
    number = int(value) & ADDRESS_BITS
    pages = int(main_node()["pages"]) & ADDRESS_BITS
    size = gdb.lookup_type("struct page").sizeof
    count = int(main_node()["page_count"])
    if pages <= number < pages + count * size:
        describe_frame(int(main_node()["start_pfn"]) + (number - pages) // size)
    elif number < int(main_node()["start_pfn"]) + count:
        describe_frame(number)
    else:
        owner = owner_with_window(number)
        if owner is None:
            page_of_address(number)
        else:
            page_of_window(owner, number)


# ---- lab-owner --------------------------------------------------------------------


def owners():
    for link in linked(main_node()["pool"]["owners"]):
        yield container(link, "owner", "all")


def entries_in_use(owner):
    words = elements(owner["entries"])
    bits = 8 * words[0].type.sizeof
    return [
        i * bits + bit
        for i, word in enumerate(words)
        for bit in range(bits)
        if int(word) >> bit & 1
    ]


def print_owner_pages(owner):
    base = int(owner["window"]["base"])
    for entry in entries_in_use(owner):
        address = base + entry * page_size()
        _, pfn = frame_in_window(owner, address)
        if pfn is None:
            print(f"       {address:#x}  on its way to its receiver")
        else:
            print(f"       {address:#x}  frame {pfn:#x}")
    for link in linked(owner["incoming"]):
        page = container(link, "page", "link")
        sender = page["owner"]
        name = sender["name"].string() if int(sender) else "nobody"
        print(f"       incoming from {name}: {page.format_string()}")


def lab_owner(argument):
    """lab-owner [NAME or NUMBER]: owners, their windows and their exclusive pages."""
    found = False
    print("number owner                    window              entries sent incoming")
    for owner in owners():
        name, number = owner["name"].string(), int(owner["id"])
        if argument and argument not in (name, str(number)):
            continue
        found = True
        print(
            f"{number:6} {name:<24} {int(owner['window']['base']):#018x} "
            f"{len(entries_in_use(owner)):7} {int(owner['sent']):4} "
            f"{int(owner['incoming_count']):8}"
        )
        if argument or entries_in_use(owner):
            print_owner_pages(owner)
    if argument and not found:
        raise Problem(f"no owner is called {argument}: lab-owner lists them")


# ---- lab-threads --------------------------------------------------------------------


def threads():
    thread = next(
        v for v, n in enum_names("owner_kind").items() if n == "OWNER_THREAD"
    )
    for owner in owners():
        if int(owner["kind"]) == thread:
            yield container(owner.address, "thread", "owner")


def running_thread():
    """Of this CPU; 0 before there are threads."""
    cpu = gdb.parse_and_eval("(struct cpu *)$gs_base")
    return int(cpu["thread"]) if int(cpu) else 0


def thread_does(thread):
    if int(thread.address) == running_thread():
        return "running"
    queue = thread["waits_on"]
    state = enum_name("thread_state", thread["state"], "THREAD_")
    if state == "waiting" and int(queue):
        return queue["name"].string()
    return state


def print_stack(thread):
    """Frame by frame: a saved rbp leads to the next, and the return address lies above it.
    A thread that left the CPU left its rbp as the highest of six registers."""
    number = 0
    if int(thread.address) == running_thread():
        newest = gdb.newest_frame()
        print_frame(0, int(newest.read_register("rip")))
        frame = int(newest.read_register("rbp"))
        number = 1
    else:
        frame = int(thread["stack_pointer"]) + 5 * 8
    word = gdb.lookup_type("unsigned long").pointer()
    while number < 64 and frame & ADDRESS_BITS >= 1 << 63:
        here = gdb.Value(frame & ADDRESS_BITS).cast(word)
        if int(here[1]) == 0:
            break
        # The call before it: behind one that never returns is another function.
        print_frame(number, int(here[1]) - 1)
        if int(here[0]) & ADDRESS_BITS <= frame & ADDRESS_BITS:
            break
        frame = int(here[0])
        number += 1


def print_frame(number, place):
    line = gdb.find_pc_line(place)
    where = f"{line.symtab.filename}:{line.line}" if line.symtab else ""
    print(f"       #{number:<2} {place_text(place)} {where}")


def lab_threads(argument):
    """lab-threads [NAME or NUMBER]: all threads; with a name, that one's stack."""
    found = False
    print("number thread           prio     switches owned  state or wait")
    for thread in threads():
        owner = thread["owner"]
        name, number = owner["name"].string(), int(owner["id"])
        if argument and argument not in (name, str(number)):
            continue
        found = True
        priority = enum_name("thread_priority", thread["priority"], "PRIORITY_")
        owned = len(entries_in_use(owner)) - int(owner["sent"])
        print(
            f"{number:6} {name:<16} {priority:<8} {int(thread['switches']):8} "
            f"{owned:5}  {thread_does(thread)}"
        )
        if argument:
            print_stack(thread)
    if argument and not found:
        raise Problem(f"no thread is called {argument}: lab-threads lists them")


def lab_gfp(argument):
    """lab-gfp MASK: the names of the flags in it."""
    if not argument:
        raise Problem("lab-gfp MASK: a number or an expression")
    print(gfp_names(gdb.parse_and_eval(argument)))


class Report(gdb.Command):
    """A command whose problems are sentences, not Python's traces."""

    def __init__(self, function):
        self.__doc__ = function.__doc__
        self._function = function
        super().__init__(function.__name__.replace("_", "-"), gdb.COMMAND_DATA)

    def invoke(self, argument, _from_tty):
        try:
            self._function(argument.strip())
        except Problem as problem:
            raise gdb.GdbError(str(problem)) from None


def register():
    for function in (lab_zones, lab_buddy, lab_page, lab_owner, lab_threads, lab_gfp):
        Report(function)
