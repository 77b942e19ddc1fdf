// Makes a manual page of a program's help: help_to_man NAME VERSION < help > NAME.1. Only for the
// build.

#include <iostream>
#include <iterator>
#include <string>

#include "tools/text/man_page.h"

int main(int argc, char** argv) {
  if (argc != 3) {
    std::cerr << "help_to_man NAME VERSION < help > NAME.1\n";
    return 2;
  }
  const std::string help{std::istreambuf_iterator<char>(std::cin),
                         std::istreambuf_iterator<char>()};
  kvstore::text::ManPage page(argv[1], argv[2]);
  page.Help(help);
  page.Section("SEE ALSO");
  page.Body("  kvctl(1), kvstore_master(1), kvstore_node(1)\n");
  std::cout << page.roff();
  return std::cout.flush() && !help.empty() ? 0 : 1;
}
