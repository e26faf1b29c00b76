#include "CKernels.h"

#include <sqlite3.h>

// Limits for the untrusted databases that this thread opens next: bytes of a value, steps of a statement. 0: no limit.
static _Thread_local int longest_value;
static _Thread_local int most_steps;

static int end_statement(void *unused) {
    (void)unused;
    return 1;
}

// SQLite calls this for every new connection, before it reads the file.
static int confine(sqlite3 *db, char **error, const void *routines) {
    (void)error;
    (void)routines;
    sqlite3_db_config(db, SQLITE_DBCONFIG_DEFENSIVE, 1, (int *)0);
    sqlite3_db_config(db, SQLITE_DBCONFIG_TRUSTED_SCHEMA, 0, (int *)0);
    sqlite3_limit(db, SQLITE_LIMIT_COLUMN, 100);
    sqlite3_limit(db, SQLITE_LIMIT_EXPR_DEPTH, 100);
    sqlite3_limit(db, SQLITE_LIMIT_COMPOUND_SELECT, 10);
    sqlite3_limit(db, SQLITE_LIMIT_FUNCTION_ARG, 16);
    sqlite3_limit(db, SQLITE_LIMIT_TRIGGER_DEPTH, 10);
    sqlite3_limit(db, SQLITE_LIMIT_SQL_LENGTH, 1 << 20);
    if (longest_value) {
        sqlite3_limit(db, SQLITE_LIMIT_ATTACHED, 0);
        sqlite3_limit(db, SQLITE_LIMIT_LENGTH, longest_value);
    }
    // SQLite calls the handler after this many steps of a statement; the handler ends the statement.
    if (most_steps) sqlite3_progress_handler(db, most_steps, end_statement, (void *)0);
    return SQLITE_OK;
}

void ck_confine_databases(void) { sqlite3_auto_extension((void (*)(void))confine); }

void ck_bound_databases(int value, int steps) {
    longest_value = value;
    most_steps = steps;
}
