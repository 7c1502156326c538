CREATE TABLE readers (
    id         bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
    name       text NOT NULL,
    email      text NOT NULL UNIQUE,
    phone      text,
    joined_on  date NOT NULL DEFAULT current_date
);

CREATE TABLE loans (
    id         bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
    reader_id  bigint NOT NULL REFERENCES readers,
    title      text NOT NULL,
    due_on     date NOT NULL,
    returned   boolean NOT NULL DEFAULT false
);
