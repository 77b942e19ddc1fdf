#include "tools/text/man_page.h"

#include <algorithm>
#include <vector>

namespace kvstore::text {
namespace {

constexpr size_t kIndent = 2;                // of a help's text below its title
constexpr size_t kWidestTag = 30;            // more than that is a sentence
constexpr std::string_view kBetween = "  ";  // a tag and what it means

std::vector<std::string_view> Lines(std::string_view text) {
  std::vector<std::string_view> lines;
  while (!text.empty()) {
    const size_t end = text.find('\n');
    lines.push_back(text.substr(0, end));
    text.remove_prefix(end == std::string_view::npos ? text.size() : end + 1);
  }
  return lines;
}

size_t IndentOf(std::string_view line) {
  return std::min(line.find_first_not_of(' '), line.size());
}

std::string_view Trimmed(std::string_view line) { return line.substr(IndentOf(line)); }

// Letters are all capitals: "EXIT STATUS".
bool IsTitle(std::string_view line) {
  return !line.empty() && line[0] >= 'A' && line[0] <= 'Z' &&
         std::all_of(line.begin(), line.end(),
                     [](char c) { return (c >= 'A' && c <= 'Z') || c == ' '; });
}

// What roff would take for its own.
std::string Escaped(std::string_view text) {
  std::string out;
  for (const char c : text) {
    if (c == '\\') {
      out += "\\e";
    } else if (c == '-') {
      out += "\\-";
    } else if (c == '\'') {
      out += "\\(aq";
    } else if (c == '^') {
      out += "\\(ha";
    } else if (c == '~') {
      out += "\\(ti";
    } else if (c == '`') {
      out += "\\(ga";
    } else if (c == '"') {
      out += "\\(dq";
    } else {
      out += c;
    }
  }
  return out.starts_with('.') ? "\\&" + out : out;
}

struct Item {
  std::string_view tag;
  std::string_view meaning;
};

// The tag of a line and what it means; an empty tag: the line has none.
Item ItemOf(std::string_view line) {
  const std::string_view text = Trimmed(line);
  const bool option = text.starts_with('-');
  // The master's help has "--flag  (values)" with the meaning on further lines.
  const size_t gap = text.find(kBetween);
  if (gap == std::string_view::npos) return option ? Item{text, ""} : Item{};
  if (!option && gap > kWidestTag) return {};
  const std::string_view before = text.substr(0, gap);
  if (!option && (before.find(". ") != std::string_view::npos || before.ends_with('.'))) return {};
  return {before, Trimmed(text.substr(gap))};
}

}  // namespace

ManPage::ManPage(std::string_view name, std::string_view version) {
  std::string title(name);
  std::transform(title.begin(), title.end(), title.begin(), [](char c) {
    return c >= 'a' && c <= 'z' ? static_cast<char>(c - 'a' + 'A') : c;
  });
  roff_ = ".TH " + title + " 1 \"\" \"kvstore " + std::string(version) + "\" \"kvstore\"\n" +
          ".nh\n.ad l\n";
}

void ManPage::Section(std::string_view title) { roff_ += ".SH " + Escaped(title) + "\n"; }

void ManPage::Subsection(std::string_view title) { roff_ += ".SS \"" + Escaped(title) + "\"\n"; }

void ManPage::Text(std::string_view text) { roff_ += Escaped(text) + "\n"; }

void ManPage::Body(std::string_view text) {
  bool begun = false, in_item = false, paragraph_due = false;
  for (const std::string_view line : Lines(text)) {
    if (Trimmed(line).empty()) {
      paragraph_due = true;
      continue;
    }
    if (in_item && !paragraph_due && IndentOf(line) > kIndent) {
      Text(Trimmed(line));
      continue;
    }
    const Item item = ItemOf(line);
    if (!item.tag.empty()) {
      roff_ += ".TP\n.B " + Escaped(item.tag) + "\n";
      if (!item.meaning.empty()) Text(item.meaning);
      in_item = true;
    } else {
      if (begun && (in_item || paragraph_due)) roff_ += ".PP\n";
      Text(Trimmed(line));
      in_item = false;
    }
    paragraph_due = false;
    begun = true;
  }
}

void ManPage::Verbatim(std::string_view text) {
  std::vector<std::string_view> lines = Lines(text);
  while (!lines.empty() && Trimmed(lines.back()).empty()) lines.pop_back();
  roff_ += ".nf\n";
  for (const std::string_view line : lines) {
    roff_ += Escaped(line.substr(std::min(IndentOf(line), kIndent))) + "\n";
  }
  roff_ += ".fi\n";
}

void ManPage::Help(std::string_view text) {
  const std::vector<std::string_view> lines = Lines(text);
  std::string title, body;
  const auto flush = [&] {
    if (title.empty() && !Trimmed(body).empty()) {
      title = "NAME";
      while (body.ends_with('\n')) body.pop_back();
      body += '\n';
    }
    if (title.empty()) return;
    if (title == "USAGE") {  // its first paragraph is the synopsis
      const size_t end = std::min(body.find("\n\n"), body.size());
      Section("SYNOPSIS");
      Verbatim(body.substr(0, end));
      Section("DESCRIPTION");
      Body(body.substr(end));
      return;
    }
    Section(title);
    title == "EXAMPLES" || title == "SYNOPSIS" ? Verbatim(body) : Body(body);
  };
  for (const std::string_view line : lines) {
    if (IsTitle(line)) {
      flush();
      title = line;
      body.clear();
    } else {
      body += std::string(line) + "\n";
    }
  }
  flush();
}

}  // namespace kvstore::text
