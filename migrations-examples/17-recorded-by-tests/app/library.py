"""A lending library: who reads, what is lent, what is late."""

CONTACT = ("email", "phone")


def register(db, name, email):
    row = db.execute("INSERT INTO readers (name, email) VALUES (%s, %s) RETURNING id", (name, email)).fetchone()
    return row[0]


def correct_name(db, reader, name):
    db.execute("UPDATE readers SET name = %s WHERE id = %s", (name, reader))


def card(db, reader):
    return db.execute("SELECT name, email FROM readers WHERE id = %s", (reader,)).fetchone()


def lend(db, reader, title, due_on):
    db.execute("INSERT INTO loans (reader_id, title, due_on) VALUES (%s, %s, %s)", (reader, title, due_on))


def late(db, today):
    query = """SELECT r.email, l.title FROM loans l JOIN readers r ON r.id = l.reader_id
               WHERE NOT l.returned AND l.due_on < %s ORDER BY l.due_on"""
    return db.execute(query, (today,)).fetchall()


def call_list(db):
    """For the desk, when the mail server is down. No test runs it."""
    return db.execute("SELECT name, phone FROM readers WHERE phone IS NOT NULL ORDER BY name").fetchall()


def export_contacts(db):
    """Put together when it runs, so that no reader of the code's SQL sees it whole. No test runs it either."""
    return db.execute("SELECT " + ", ".join(CONTACT) + " FROM readers").fetchall()
