#ifndef KVSTORE_TOOLS_TEXT_MAN_PAGE_H_
#define KVSTORE_TOOLS_TEXT_MAN_PAGE_H_

#include <string>
#include <string_view>

namespace kvstore::text {

// A manual page in roff (man(7)), made of what --help prints, so that there is one text for both.
// Thread-compatible.
class ManPage {
 public:
  // `name` is that of the program, `version` its own.
  ManPage(std::string_view name, std::string_view version);

  void Section(std::string_view title);
  void Subsection(std::string_view title);
  // Text as a help has it below a title, indented by two spaces: paragraphs, and lines of a tag,
  // two spaces or a line's end, and what it means ("  -o FILE  write there", "  0  done"). Lines
  // that are indented deeper go on with what the tag means.
  void Body(std::string_view text);
  // Lines that stay as they are; their common indentation is left out.
  void Verbatim(std::string_view text);
  // A whole help text: titles are the lines of capitals; EXAMPLES and SYNOPSIS stay as they are.
  // Lines before the first title are the NAME; the first paragraph of USAGE is the SYNOPSIS.
  void Help(std::string_view text);

  const std::string& roff() const { return roff_; }

 private:
  void Text(std::string_view text);

  std::string roff_;
};

}  // namespace kvstore::text

#endif  // KVSTORE_TOOLS_TEXT_MAN_PAGE_H_
