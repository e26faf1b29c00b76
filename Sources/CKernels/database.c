#include "CKernels.h"

#include <sqlite3.h>

// What the databases that this thread opens next may be, when they come from elsewhere; 0 is no bound.
static _Thread_local int longest_value;
static _Thread_local int most_steps;

static int end_statement(void *unused) {
    (void)unused;
    return 1;
}

// SQLite calls this for every connection that is opened, before anything of the file is read.
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
    // The handler is called when a statement has taken so many steps.
    if (most_steps) sqlite3_progress_handler(db, most_steps, end_statement, (void *)0);
    return SQLITE_OK;
}

void ck_confine_databases(void) { sqlite3_auto_extension((void (*)(void))confine); }

void ck_bound_databases(int value, int steps) {
    longest_value = value;
    most_steps = steps;
}
