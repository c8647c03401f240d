#!/usr/bin/env python3
"""pages.py refuses what it cannot check, and finds what a page says wrongly."""
import os
import pathlib
import tempfile
import unittest

import pages

FENCE = "```"


def blocks(text):
    return pages.blocks_of("PAGE.md", text)


class Parsing(unittest.TestCase):
    def test_a_block_has_its_line_language_marker_and_text(self):
        block, = blocks(f"text\n\n<!-- as run.json -->\n{FENCE}json\n{{}}\n{FENCE}\n")
        self.assertEqual((block.place, block.language, block.kind, block.argument, block.text),
                         ("PAGE.md:4", "json", "as", "run.json", "{}\n"))

    def test_an_unknown_marker_is_refused(self):
        with self.assertRaisesRegex(pages.Mistake, "PAGE.md:1: unknown marker"):
            blocks(f"<!-- skip -->\n{FENCE}sh\nfalse\n{FENCE}\n")

    def test_a_block_without_an_end_is_refused(self):
        with self.assertRaisesRegex(pages.Mistake, "no end"):
            blocks(f"{FENCE}sh\ntrue\n")


class Checking(unittest.TestCase):
    def setUp(self):
        self.directory = tempfile.TemporaryDirectory()
        self.addCleanup(self.directory.cleanup)
        self.root = pathlib.Path(self.directory.name)

    def check(self, text):
        class NoTests:
            tests = ["a_test"]
            build = self.root
        found = blocks(text)
        for block in found:
            pages.check_block(block, found, self.root, NoTests, self.root / "scratch", dict(os.environ))

    def refuses(self, text, message):
        with self.assertRaisesRegex(pages.Mistake, message):
            self.check(text)

    def test_a_block_without_a_language_is_refused(self):
        self.refuses(f"{FENCE}\ntrue\n{FENCE}\n", "not one that is checked")

    def test_an_unknown_language_is_refused(self):
        self.refuses(f"{FENCE}python\nx = 1\n{FENCE}\n", "not one that is checked")

    def test_a_transcript_needs_a_test_that_exists(self):
        self.refuses(f"{FENCE}console\n$ true\n{FENCE}\n", "not one that is checked")
        self.refuses(f"<!-- checked by no_test -->\n{FENCE}console\n$ true\n{FENCE}\n", "no test 'no_test'")
        self.check(f"<!-- checked by a_test -->\n{FENCE}console\n$ true\n{FENCE}\n")

    def test_a_failing_command_is_found(self):
        self.refuses(f"{FENCE}sh\ntrue\nfalse\ntrue\n{FENCE}\n", "exit code 1")
        self.check(f"{FENCE}sh\ntrue\n{FENCE}\n")

    def test_a_configuration_that_no_command_uses_is_refused(self):
        self.refuses(f"<!-- as run.json -->\n{FENCE}json\n{{}}\n{FENCE}\n", "no command of the page uses")

    def test_a_copy_must_be_a_stretch_of_the_file_or_of_its_comments(self):
        (self.root / "a.h").write_text("int x;\n//   fit:\n//     step\n//\n")
        self.check(f"<!-- same as a.h -->\n{FENCE}text\nfit:\n  step\n{FENCE}\n")
        self.check(f"<!-- same as a.h -->\n{FENCE}cpp\nint x;\n{FENCE}\n")
        self.refuses(f"<!-- same as a.h -->\n{FENCE}text\nfit:\nstep\n{FENCE}\n", "it is not in a.h")

    def test_a_fragment_of_cpp_needs_a_context(self):
        block, = blocks(f"{FENCE}cpp\nint x = 1;\n{FENCE}\n")
        with self.assertRaisesRegex(pages.Mistake, "neither a program nor a fragment"):
            pages.cpp_source(block, self.root)

    def test_a_dead_link_is_found(self):
        (self.root / "PAGE.md").write_text("[here](there.md) `[not](a link)`\n")
        with self.assertRaisesRegex(pages.Mistake, "there.md"):
            pages.check_links("PAGE.md", self.root)


class Output(unittest.TestCase):
    def differs(self, shown, printed):
        block, = blocks(f"{FENCE}console\n{shown}\n{FENCE}\n")
        return pages.differing_line(block, printed)

    def test_numbers_with_a_fraction_may_differ_and_others_not(self):
        self.assertIsNone(self.differs("$ x\nloss 0.25", "loss 0.5\n"))
        self.assertEqual(self.differs("$ x\nsteps 4", "steps 5\n"), "steps 4")

    def test_a_warning_that_depends_on_the_machines_load_may_be_there(self):
        costs = "grapnel: warning: plugin 'ema' 0.1.0 took 23% of the run, 0.2 s of 0.9 s\n"
        self.assertIsNone(self.differs("$ x\na\nb", f"a\n{costs}b\n"))
        self.assertEqual(self.differs("$ x\na\nb", "a\ngrapnel: warning: no\nb\n"), "b")

    def test_dots_stand_for_any_lines(self):
        self.assertIsNone(self.differs("$ x\na\n...\nd", "a\nb\nc\nd\n"))
        self.assertEqual(self.differs("$ x\na\n...\ne", "a\nb\n"), "e")

    def test_what_is_printed_after_the_last_line_is_found(self):
        self.assertEqual(self.differs("$ x\na", "a\nb\n"), "a")


if __name__ == "__main__":
    unittest.main()
