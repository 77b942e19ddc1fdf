#ifndef KVSTORE_TOOLS_TEXT_TABLE_H_
#define KVSTORE_TOOLS_TEXT_TABLE_H_

#include <ostream>
#include <string>
#include <vector>

namespace kvstore::text {

enum class Align { kLeft, kRight };

struct Column {
  std::string title;  // empty in all columns: no line of titles
  Align align = Align::kLeft;
};

// Columns for people, as wide as their widest cell, two spaces apart. Cells are UTF-8.
// Thread-compatible.
class Table {
 public:
  explicit Table(std::vector<Column> columns);

  // One cell per column.
  void AddRow(std::vector<std::string> cells);
  void Print(std::ostream& out) const;

 private:
  void PrintRow(const std::vector<std::string>& cells, const std::vector<size_t>& widths,
                std::ostream& out) const;

  std::vector<Column> columns_;
  std::vector<std::vector<std::string>> rows_;
};

}  // namespace kvstore::text

#endif  // KVSTORE_TOOLS_TEXT_TABLE_H_
