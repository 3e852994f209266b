// SPDX-License-Identifier: Apache-2.0
#include "store/sqlite.h"

#include <sqlite3.h>
#include <sys/stat.h>

#include <cstring>

#include "zokio/base/assert.h"

namespace zokiod::store {

using zokio::Errc;
using zokio::Error;
using zokio::Result;

Error sqlite_error(int code, const char* where) {
  switch (code & 0xff) {  // the rest says more of the same
    case SQLITE_CONSTRAINT:
      // A trigger that refuses (schema.cpp) is a fence, a broken unique key is a second one.
      return code == SQLITE_CONSTRAINT_TRIGGER ? Error(Errc::Aborted, where)
                                               : Error(Errc::AlreadyExists, where);
    case SQLITE_FULL:
      return Error(Errc::ResourceExhausted, where, zokio::Detail::Limit);
    case SQLITE_TOOBIG:
    case SQLITE_NOMEM:
      return Error(Errc::ResourceExhausted, where);
    case SQLITE_BUSY:
    case SQLITE_LOCKED:
    case SQLITE_IOERR:
    case SQLITE_CANTOPEN:
      return Error(Errc::Unavailable, where);
    case SQLITE_READONLY:
    case SQLITE_PERM:
    case SQLITE_AUTH:
      return Error(Errc::PermissionDenied, where);
    case SQLITE_CORRUPT:
    case SQLITE_NOTADB:
      return Error(Errc::DataLoss, where);
    default:
      return Error(Errc::Internal, where);
  }
}

Database::~Database() {
  if (db_ == nullptr) return;
  // Every Statement is declared after its Database, so none is left.
  const int rc = sqlite3_close(db_);
  ZOKIO_CHECK(rc == SQLITE_OK, "a statement outlives its database");
}

model::Reported<> Database::open(const std::string& path) {
  const mode_t before = ::umask(0077);
  const int rc = sqlite3_open_v2(
      path.c_str(), &db_,
      SQLITE_OPEN_READWRITE | SQLITE_OPEN_CREATE | SQLITE_OPEN_NOMUTEX | SQLITE_OPEN_EXRESCODE,
      nullptr);
  ::umask(before);
  if (rc == SQLITE_OK) return {};
  return model::refuse(
      model::make_report(sqlite_error(rc, "sqlite open"), path + ": " + message()));
}

Result<void> Database::execute(const char* sql) {
  const int rc = sqlite3_exec(db_, sql, nullptr, nullptr, nullptr);
  if (rc != SQLITE_OK) return zokio::fail(sqlite_error(rc, "sqlite execute"));
  return {};
}

Result<int64_t> Database::query_int(const char* sql) {
  Statement statement;
  ZOKIO_CHECKED(statement.prepare(*this, sql));
  ZOKIO_TRY(const bool row, statement.step());
  return row ? statement.column_int(0) : 0;
}

model::Reported<> check_integrity(Database& db, const std::string& path) {
  std::string said;
  Statement check;
  Result<void> done = check.prepare(db, "PRAGMA quick_check(1)");
  if (done) {
    const Result<bool> row = check.step();
    if (row && *row) said = check.column_text(0);
    if (!row) done = zokio::fail(row.error());
    check.reset();
  }
  if (done && said == "ok") return {};
  if (said.empty()) said = db.message();
  const Error error = done ? Error(Errc::DataLoss, "integrity check") : done.error();
  model::Report out = model::make_report(error, path + " is damaged: " + said);
  if (error.code == Errc::DataLoss) {
    out.reason = "STORE_DAMAGED";
    out.message +=
        "; put a backup in its place (zokioctl admin backup makes them), or move it away "
        "to begin with an empty store";
  }
  return model::refuse(std::move(out));
}

int64_t Database::changes() const {
  return sqlite3_changes64(db_);
}

std::string Database::message() const {
  return db_ == nullptr ? "out of memory" : sqlite3_errmsg(db_);
}

Statement::~Statement() {
  sqlite3_finalize(statement_);
}

Result<void> Statement::prepare(Database& db, const char* sql) {
  ZOKIO_CHECK(statement_ == nullptr, "a statement is prepared once");
  const int rc =
      sqlite3_prepare_v3(db.handle(), sql, -1, SQLITE_PREPARE_PERSISTENT, &statement_, nullptr);
  if (rc != SQLITE_OK) return zokio::fail(sqlite_error(rc, "sqlite prepare"));
  return {};
}

// Binding fails for a wrong index or a value over SQLite's 1 GB: bugs, both.
Statement& Statement::bind(int64_t value) {
  ZOKIO_CHECK(sqlite3_bind_int64(statement_, next_++, value) == SQLITE_OK, "bind");
  return *this;
}
Statement& Statement::bind(std::string_view text) {
  const int rc = sqlite3_bind_text64(statement_, next_++, text.data() ? text.data() : "",
                                     text.size(), SQLITE_TRANSIENT, SQLITE_UTF8);
  ZOKIO_CHECK(rc == SQLITE_OK, "bind");
  return *this;
}
Statement& Statement::bind(const model::JobId& id) {
  return bind_blob({reinterpret_cast<const char*>(id.bytes.data()), id.bytes.size()});
}
Statement& Statement::bind_null() {
  ZOKIO_CHECK(sqlite3_bind_null(statement_, next_++) == SQLITE_OK, "bind");
  return *this;
}
Statement& Statement::bind_blob(std::string_view bytes) {
  const int rc = sqlite3_bind_blob64(statement_, next_++, bytes.data() ? bytes.data() : "",
                                     bytes.size(), SQLITE_TRANSIENT);
  ZOKIO_CHECK(rc == SQLITE_OK, "bind");
  return *this;
}

Result<void> Statement::run() {
  const int rc = sqlite3_step(statement_);
  reset();
  if (rc != SQLITE_DONE && rc != SQLITE_ROW) return zokio::fail(sqlite_error(rc, "sqlite step"));
  return {};
}

Result<bool> Statement::step() {
  const int rc = sqlite3_step(statement_);
  if (rc == SQLITE_ROW) return true;
  reset();
  if (rc != SQLITE_DONE) return zokio::fail(sqlite_error(rc, "sqlite step"));
  return false;
}

void Statement::reset() {
  sqlite3_reset(statement_);
  next_ = 1;
}

int64_t Statement::column_int(int column) const {
  return sqlite3_column_int64(statement_, column);
}

std::string Statement::column_text(int column) const {
  const auto* data = static_cast<const char*>(sqlite3_column_blob(statement_, column));
  if (data == nullptr) return {};
  return std::string(data, static_cast<size_t>(sqlite3_column_bytes(statement_, column)));
}

model::JobId Statement::column_id(int column) const {
  model::JobId id;
  const std::string bytes = column_text(column);
  if (bytes.size() == id.bytes.size()) std::memcpy(id.bytes.data(), bytes.data(), bytes.size());
  return id;
}

}  // namespace zokiod::store
