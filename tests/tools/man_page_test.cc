#include "tools/text/man_page.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

namespace kvstore::text {
namespace {

using ::testing::HasSubstr;
using ::testing::Not;

// What a help text becomes, without the page's head.
std::string PageOf(std::string_view help) {
  ManPage page("program", "1.2");
  const size_t head = page.roff().size();
  page.Help(help);
  return page.roff().substr(head);
}

TEST(ManPageTest, TheHeadNamesProgramAndVersion) {
  EXPECT_THAT(ManPage("some_program", "1.2").roff(),
              HasSubstr(".TH SOME_PROGRAM 1 \"\" \"kvstore 1.2\""));
}

TEST(ManPageTest, TitlesAreSectionsAndBlankLinesPartParagraphs) {
  EXPECT_EQ(PageOf("EXIT STATUS\n  One thing\n  goes on.\n\n  Another.\n"),
            ".SH EXIT STATUS\nOne thing\ngoes on.\n.PP\nAnother.\n");
}

TEST(ManPageTest, TagsStandBesideWhatTheyMean) {
  EXPECT_EQ(PageOf("OPTIONS\n  -o, --out FILE  write there\n  0  done\n"),
            ".SH OPTIONS\n.TP\n.B \\-o, \\-\\-out FILE\nwrite there\n.TP\n.B 0\ndone\n");
}

TEST(ManPageTest, DeeperLinesGoOnWithATag) {
  EXPECT_EQ(PageOf("SETTINGS\n  --port  (0 to 9)\n      Where it listens.\n  After it.\n"),
            ".SH SETTINGS\n.TP\n.B \\-\\-port\n(0 to 9)\nWhere it listens.\n.PP\nAfter it.\n");
}

TEST(ManPageTest, TheFirstLineIsTheNameAndUsageBeginsWithTheSynopsis) {
  EXPECT_EQ(PageOf("program - does it\n\nUSAGE\n  program [FLAG]\n\n  It does it.\n"),
            ".SH NAME\nprogram \\- does it\n.SH SYNOPSIS\n.nf\nprogram [FLAG]\n.fi\n"
            ".SH DESCRIPTION\nIt does it.\n");
}

TEST(ManPageTest, ExamplesStayAsTheyAre) {
  EXPECT_EQ(PageOf("EXAMPLES\n  a --b\n    c\n\n"), ".SH EXAMPLES\n.nf\na \\-\\-b\n  c\n.fi\n");
}

TEST(ManPageTest, NothingIsTakenForRoff) {
  const std::string page = PageOf("TEXT\n  .so file, it's \"x\" \\n ~ ^ `\n");
  EXPECT_THAT(page, HasSubstr("\\&.so file, it\\(aqs \\(dqx\\(dq \\en \\(ti \\(ha \\(ga\n"));
  EXPECT_THAT(page, Not(HasSubstr("\n.so")));
}

}  // namespace
}  // namespace kvstore::text
