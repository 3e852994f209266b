// SPDX-License-Identifier: Apache-2.0
#pragma once

// SQLite in RAII: a connection and prepared statements, with its errors in our words.
// Thread: one at a time.

#include <cstdint>
#include <string>
#include <string_view>

#include "model/id.h"
#include "model/report.h"
#include "zokio/base/pinned.h"
#include "zokio/base/result.h"

struct sqlite3;
struct sqlite3_stmt;

namespace zokiod::store {

class Database : zokio::Pinned {
 public:
  Database() = default;
  ~Database();

  // Opens or creates `path`; the file is readable by its owner only.
  model::Reported<> open(const std::string& path);
  // One or more statements without results.
  zokio::Result<void> execute(const char* sql);
  // The one integer that `sql` yields.
  zokio::Result<int64_t> query_int(const char* sql);

  // Of the last statement.
  int64_t changes() const;
  std::string message() const;
  sqlite3* handle() const { return db_; }

 private:
  sqlite3* db_ = nullptr;
};

// A prepared statement. bind() in the order of the question marks, then step().
class Statement : zokio::Pinned {
 public:
  Statement() = default;
  ~Statement();

  zokio::Result<void> prepare(Database& db, const char* sql);

  Statement& bind(int64_t value);
  Statement& bind(std::string_view text);
  Statement& bind(const model::JobId& id);
  Statement& bind_null();
  Statement& bind_blob(std::string_view bytes);

  // Runs a statement without rows, and makes it ready for the next use.
  zokio::Result<void> run();
  // True: a row is there.
  zokio::Result<bool> step();
  void reset();

  int64_t column_int(int column) const;
  std::string column_text(int column) const;  // also of a blob; empty for NULL
  model::JobId column_id(int column) const;

 private:
  sqlite3_stmt* statement_ = nullptr;
  int next_ = 1;
};

// Reads the whole file. DataLoss STORE_DAMAGED with what SQLite says of `path`.
model::Reported<> check_integrity(Database& db, const std::string& path);

// The one table from SQLite's result codes to ours.
zokio::Error sqlite_error(int code, const char* where);

}  // namespace zokiod::store
