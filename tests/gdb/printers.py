# SPDX-License-Identifier: MIT
"""
For gdb: shows a struct page, a struct zone and a gfp mask as a person would write them.

    print *page		used page, order 0, DMA32, 1 references, GFP_KERNEL ...
    print zone->...	the zone's columns and marks in one line
    print/r ...		the bare fields

Everything is read from the debug information: nothing here repeats a number of
the source.
"""

import gdb
import gdb.printing


def enum_names(type_name):
    """{value: name} of an enum, in the order of the source."""
    names = {}
    for field in gdb.lookup_type(f"enum {type_name}").fields():
        names.setdefault(field.enumval, field.name)
    return names


def enum_name(type_name, value, prefix=""):
    name = enum_names(type_name).get(int(value), str(int(value)))
    return name.removeprefix(prefix).lower()


def gfp_names(mask):
    """The largest composites first, then single flags, then bare bits."""
    mask = int(mask) & 0xFFFFFFFF
    if mask == 0:
        return "0"
    composites = sorted(
        ((v & 0xFFFFFFFF, n) for v, n in enum_names("gfp_composite").items()),
        key=lambda pair: -bin(pair[0]).count("1"),
    )
    flags = [(v & 0xFFFFFFFF, n) for v, n in enum_names("gfp_flag").items()]
    names, left = [], mask
    for value, name in composites:
        if bin(value).count("1") > 1 and left & value == value:
            names, left = [name], left & ~value
            break
    for value, name in flags:
        if value and left & value == value:
            names, left = names + [name], left & ~value
    if left:
        names.append(hex(left))
    return "|".join(names)


def owner_text(pointer):
    return pointer["name"].string() if int(pointer) else "nobody"


def place_text(address):
    """The function that an address is in."""
    return str(gdb.parse_and_eval(f"(void *){int(address):#x}"))


class PagePrinter:
    def __init__(self, value):
        self.value = value

    def to_string(self):
        page = self.value
        state = enum_name("page_state", page["state"], "PAGE_")
        zone = enum_name("zone_type", page["zone"], "ZONE_").upper()
        text = f"{state} page, order {int(page['order'])}, {zone}"
        if state in ("owned", "handover"):
            text += f", of {owner_text(page['owner'])}"
        if state == "handover":
            text += f" for {owner_text(page['receiver'])}"
        if state == "used":
            text += f", {int(page['refcount'])} references"
            text += f", taker {int(page['taker'])}"
            text += f", {gfp_names(page['gfp'])}"
        if int(page["caller"]):
            # ARCH_CODE_BASE is 0 in the kernel: the number is the address's lower half.
            caller = int(page["caller"]) % 2**64
            text += f", last caller {place_text(caller)}"
        return text


class ZonePrinter:
    COLUMNS = ("free", "used", "parked", "exclusive", "bad", "loose")

    def __init__(self, value):
        self.value = value

    def to_string(self):
        zone = self.value
        name = zone["name"].string() if int(zone["name"]) else "?"
        columns = ", ".join(
            f"{c} {int(zone[c + '_pages'])}" for c in self.COLUMNS
        )
        marks = "/".join(str(int(zone["watermark"][i])) for i in range(3))
        return (
            f"zone {name}: frames {int(zone['start_pfn']):#x}"
            f"+{int(zone['spanned']):#x}, managed {int(zone['managed'])} = "
            f"{columns}; min/low/high {marks}"
        )


class GfpPrinter:
    def __init__(self, value):
        self.value = value

    def to_string(self):
        mask = int(self.value)
        return f"{mask:#x} {gfp_names(mask)}"


def printers():
    collection = gdb.printing.RegexpCollectionPrettyPrinter("labyrinth")
    collection.add_printer("page", "^page$", PagePrinter)
    collection.add_printer("zone", "^zone$", ZonePrinter)
    return collection


def gfp_lookup(value):
    """gfp_t is a typedef of a number: found by the name of the typedef."""
    return GfpPrinter(value) if value.type.name == "gfp_t" else None


def register():
    gdb.printing.register_pretty_printer(None, printers(), replace=True)
    gdb.pretty_printers.append(gfp_lookup)
