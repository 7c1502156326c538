"""The tests that `cutover record` listens to. They find the database in DATABASE_URL."""

import datetime
import os
import unittest

import psycopg

import library


class LibraryTest(unittest.TestCase):
    def setUp(self):
        self.db = psycopg.connect(os.environ["DATABASE_URL"])

    def tearDown(self):
        self.db.rollback()
        self.db.close()

    def test_a_reader_gets_a_card(self):
        reader = library.register(self.db, "Ada", "ada@example.com")
        self.assertEqual(library.card(self.db, reader), ("Ada", "ada@example.com"))

    def test_a_name_is_corrected(self):
        reader = library.register(self.db, "Grase", "grace@example.com")
        library.correct_name(self.db, reader, "Grace")
        self.assertEqual(library.card(self.db, reader)[0], "Grace")

    def test_what_is_late(self):
        reader = library.register(self.db, "Alan", "alan@example.com")
        library.lend(self.db, reader, "On Computable Numbers", datetime.date(2026, 1, 1))
        library.lend(self.db, reader, "The Chemical Basis of Morphogenesis", datetime.date(2026, 3, 1))
        late = library.late(self.db, datetime.date(2026, 2, 1))
        self.assertEqual(late, [("alan@example.com", "On Computable Numbers")])


if __name__ == "__main__":
    unittest.main()
