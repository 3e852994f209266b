// SPDX-License-Identifier: Apache-2.0
#pragma once

// The two forms of output: tables for people, JSON for programs. Only data goes through here.
//
// JSON follows the messages of proto/ field by field, with names that shell tools like: enums in
// lower case without their prefix ("succeeded"), numbers as numbers, times in RFC 3339, durations
// in seconds ("1.5s"). Scalars are always there; unset messages are left out.
// Thread: pure functions.

#include <google/protobuf/message.h>

#include <iosfwd>
#include <string>
#include <vector>

namespace zokioctl {

enum class Format { Table, Json, Jsonl, Name };

// One line, no line break at the end.
std::string json_line(const google::protobuf::Message& message);
// Indented, with a line break at the end.
std::string json_document(const google::protobuf::Message& message);

class Table {
 public:
  explicit Table(std::vector<std::string> header) : header_(std::move(header)) {}
  void add(std::vector<std::string> row) { rows_.push_back(std::move(row)); }
  bool empty() const { return rows_.empty(); }
  // Columns are padded; the last is not. `color`: a bold header.
  void print(std::ostream& out, bool color) const;

 private:
  std::vector<std::string> header_;
  std::vector<std::vector<std::string>> rows_;
};

}  // namespace zokioctl
