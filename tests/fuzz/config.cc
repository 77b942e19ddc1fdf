// The master's command line and settings file. The first line of an input holds the flags, with
// spaces between; the rest is the file.

#include "master/config.h"

#include "fuzz/target.h"

namespace kvstore::fuzz {

using namespace master;

void Take(std::string_view bytes) {
  const size_t end = std::min(bytes.find('\n'), bytes.size());
  const std::string file(bytes.substr(std::min(end + 1, bytes.size())));
  std::vector<std::string> words = Split(bytes.substr(0, end), ' ');
  // The fuzzer must not name files of this machine, some of which never end.
  std::erase_if(words, [](const std::string& word) { return word.find("config") != word.npos; });
  if (!file.empty()) words.push_back("--config=" + FileOf(file));
  const std::vector<std::string_view> arguments(words.begin(), words.end());
  const Result<Launch> launch = ReadCommandLine(arguments);
  if (!launch.ok() || launch->action != Launch::Action::kRun) return;
  Expect(Check(launch->config).ok(), "what is accepted has been checked");
  const std::string text = ToYaml(launch->config);
  Config again;
  Expect(ReadYaml(text, "again", &again).ok(), "what is printed can be read");
  Expect(ToYaml(again) == text, "and says the same");
}

std::vector<std::string> Seeds() {
  return {"--listen 10.0.0.1 --insecure_allow_remote",
          "--listen 10.0.0.1",
          "--port 7 --metrics_port 7",
          "\nsuspect_after_ms: 100\n",
          "--port=1 -log_level warning --noinsecure_allow_remote",
          "\n" + ToYaml(Config()),
          "--listen ::1\nport: 5\nlease_ms: 2000 # two\n",
          "\n? [a, b]\n: {c: d}\n",
          "\nstate_file: \"a\\tb\"\nfree_share_wanted: 0.25\n",
          "\na: &x [*x, !!int 3]\n"};
}

}  // namespace kvstore::fuzz
