// kvstore_node's command line and settings file, as config.cc.

#include "tools/node_config.h"

#include "fuzz/target.h"

namespace kvstore::fuzz {

void Take(std::string_view bytes) {
  const size_t end = std::min(bytes.find('\n'), bytes.size());
  const std::string file(bytes.substr(std::min(end + 1, bytes.size())));
  std::vector<std::string> typed = Split(bytes.substr(0, end), ' ');
  std::erase_if(typed, [](const std::string& word) { return word.find("config") != word.npos; });
  if (!file.empty()) typed.push_back("--config=" + FileOf(file));
  std::vector<const char*> words;
  for (const std::string& word : typed) words.push_back(word.c_str());
  const Result<NodeCommand> command = ReadNodeCommand(words);
  if (!command.ok() || command->what != NodeCommand::What::kRun) return;
  Expect(command->config.connect_timeout > Duration::zero(), "a timeout is more than nothing");
  words.push_back("--print_config");
  const Result<NodeCommand> printed = ReadNodeCommand(words);
  Expect(printed.ok() && printed->what == NodeCommand::What::kPrint, "settings can be printed");
  const std::string path = "--config=" + FileOf(printed->text);
  const Result<NodeCommand> again =
      ReadNodeCommand(std::vector<const char*>{path.c_str(), "--print_config"});
  Expect(again.ok() && again->text == printed->text, "what is printed is read, and says the same");
}

std::vector<std::string> Seeds() {
  return {"--lend 80% -master 10.0.0.1:1 --wait",
          "--ways=shm,tcp --connect_timeout 500ms --log_level=error",
          "--wait=false\nmaster: a:1\nlend: 1.5GiB\nname: \"n 1\"\nways: [a]\n",
          "\nlisten: 127.0.0.1:0\nconnect_timeout: 2m\ninsecure_allow_remote: on\n"};
}

}  // namespace kvstore::fuzz
