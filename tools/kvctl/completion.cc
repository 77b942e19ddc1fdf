#include "tools/kvctl/completion.h"

#include <algorithm>
#include <string_view>
#include <vector>

#include "tools/kvctl/commands.h"

namespace kvstore::kvctl {
namespace {

using text::Option;

constexpr std::string_view kFile = "FILE";
constexpr std::string_view kVerb = "VERB";

template <typename See>
void ForEachCommand(const See& see) {
  for (const CommandGroup& group : CommandGroups()) {
    for (const Command& command : group.commands) see(command);
  }
}

// "table|json" as "table json"; empty where the name is no list of values.
std::string ValuesOf(std::string_view names) {
  if (names.find('|') == std::string_view::npos) return "";
  std::string values(names);
  std::replace(values.begin(), values.end(), '|', ' ');
  return values;
}

std::string VerbNames() {
  std::string names = "help";
  ForEachCommand([&](const Command& command) { names += " " + std::string(command.name); });
  return names;
}

std::string Long(const Option& option) { return "--" + std::string(option.name); }

// Text between single quotes, for any of the shells.
std::string Quoted(std::string_view text) {
  std::string out = "'";
  for (const char c : text) out += c == '\'' ? std::string("'\\''") : std::string(1, c);
  return out + "'";
}

// ---- bash ----

// "--out|-o"
std::string BashPattern(const Option& option) {
  return Long(option) + (option.letter.empty() ? "" : "|-" + std::string(option.letter));
}

// What follows an option that takes a value: files, words, or nothing that is known.
std::string BashValueCase(std::string_view verb, const Option& option) {
  if (option.value_name.empty()) return "";
  std::string line = "    ";
  for (const std::string& name :
       {Long(option), option.letter.empty() ? std::string() : "-" + std::string(option.letter)}) {
    if (name.empty()) continue;
    line += (line.size() > 4 ? "|" : "") + std::string(verb) + ":" + name;
  }
  if (option.value_name == kFile) return line + ") files=1; words= ;;\n";
  return line + ") words='" + ValuesOf(option.value_name) + "'; files= ;;\n";
}

std::string BashOptions(std::span<const Option> options) {
  std::string names;
  for (const Option& option : options) names += " " + Long(option);
  return names;
}

}  // namespace

std::string BashCompletion() {
  std::string verbs, values, with_value;
  ForEachCommand([&](const Command& command) {
    const bool files = command.argument_names == kFile;
    const std::string words =
        command.argument_names == kVerb ? std::string("$verbs") : ValuesOf(command.argument_names);
    verbs += "    " + std::string(command.name) + ") words=\"" + words +
             (words.empty() ? "" : " ") + "$globals" + BashOptions(command.options) + "\"" +
             (files ? "; files=1" : "") + " ;;\n";
    for (const Option& option : command.options) values += BashValueCase(command.name, option);
  });
  for (const Option& option : GlobalOptions()) {
    values += BashValueCase("*", option);
    if (option.value_name.empty()) continue;
    with_value += (with_value.empty() ? "" : "|") + BashPattern(option);
  }
  return "# bash completion for kvctl; printed by: kvctl completion bash\n"
         "_kvctl() {\n"
         "  local cur=${COMP_WORDS[COMP_CWORD]} prev=${COMP_WORDS[COMP_CWORD-1]} verb= i\n"
         "  local words= files= globals='" +
         BashOptions(GlobalOptions()).substr(1) +
         "'\n"
         "  local verbs='" +
         VerbNames() +
         "'\n"
         "  # --name=value comes as three words.\n"
         "  if [[ $cur == '=' ]]; then cur=; elif [[ $prev == '=' ]]; then "
         "prev=${COMP_WORDS[COMP_CWORD-2]}; fi\n"
         "  for ((i = 1; i < COMP_CWORD; i++)); do\n"
         "    case ${COMP_WORDS[i]} in\n"
         "    " +
         with_value +
         ") [[ ${COMP_WORDS[i+1]} == '=' ]] && ((i++)); ((i++)) ;;\n"
         "    -*) ;;\n"
         "    *) verb=${COMP_WORDS[i]}; break ;;\n"
         "    esac\n"
         "  done\n"
         "  case $verb in\n"
         "    '') words=\"$verbs $globals\" ;;\n"
         "    help) words=$verbs ;;\n" +
         verbs +
         "  esac\n"
         "  case $verb:$prev in\n" +
         values +
         "  esac\n"
         "  mapfile -t COMPREPLY < <(compgen -W \"$words\" -- \"$cur\"; "
         "[[ $files && $cur != -* ]] && compgen -f -- \"$cur\")\n"
         "}\n"
         "complete -o filenames -F _kvctl kvctl\n";
}

namespace {

// ---- zsh ----

// Text of a description within an _arguments specification.
std::string ZshText(std::string_view text) {
  std::string out;
  for (const char c : text) {
    if (c == '[' || c == ']' || c == ':' || c == '\\') out += '\\';
    out += c;
  }
  return out;
}

std::string ZshAction(std::string_view names) {
  if (names == kFile) return "_files";
  if (names == kVerb) return "($verbs)";
  const std::string values = ValuesOf(names);
  return values.empty() ? " " : "(" + values + ")";
}

// '--out=[write there]:FILE:_files'
std::string ZshOption(const Option& option, const std::string& name) {
  const bool value = !option.value_name.empty();
  std::string spec =
      "*" + name + (value && name.starts_with("--") ? "=" : "") + "[" + ZshText(option.help) + "]";
  if (value) spec += ":" + ZshText(option.value_name) + ":" + ZshAction(option.value_name);
  return Quoted(spec);
}

std::string ZshOptions(std::span<const Option> options) {
  std::string specs;
  for (const Option& option : options) {
    specs += " " + ZshOption(option, Long(option));
    if (!option.letter.empty()) specs += " " + ZshOption(option, "-" + std::string(option.letter));
  }
  return specs;
}

}  // namespace

std::string ZshCompletion() {
  std::string described = Quoted("help:this text, or that of a verb"), cases;
  ForEachCommand([&](const Command& command) {
    described += " " + Quoted(std::string(command.name) + ":" + ZshText(command.summary));
    cases += "    " + std::string(command.name) + ") _arguments $globals" +
             ZshOptions(command.options) +
             (command.most_arguments == 0
                  ? std::string()
                  : " " + Quoted("*:argument:" + ZshAction(command.argument_names))) +
             " ;;\n";
  });
  return "#compdef kvctl\n"
         "# zsh completion for kvctl; printed by: kvctl completion zsh\n"
         "_kvctl() {\n"
         "  local curcontext=$curcontext state line\n"
         "  local -a described globals verbs\n"
         "  typeset -A opt_args\n"
         "  described=(" +
         described +
         ")\n"
         "  verbs=(" +
         VerbNames() +
         ")\n"
         "  globals=(" +
         ZshOptions(GlobalOptions()).substr(1) +
         ")\n"
         "  _arguments -C $globals '1:verb:->verb' '*::argument:->rest'\n"
         "  case $state in\n"
         "  verb) _describe verb described ;;\n"
         "  rest)\n"
         "    case $line[1] in\n"
         "    help) _arguments '*:verb:($verbs)' ;;\n" +
         cases +
         "    esac ;;\n"
         "  esac\n"
         "}\n"
         "if [[ $funcstack[1] == _kvctl ]]; then _kvctl \"$@\"; else compdef _kvctl kvctl; fi\n";
}

namespace {

// ---- fish ----

std::string FishOption(const Option& option, const std::string& condition) {
  std::string line = "complete -c kvctl" + condition + " -l " + std::string(option.name);
  if (!option.letter.empty()) line += " -s " + std::string(option.letter);
  const std::string values = ValuesOf(option.value_name);
  if (option.value_name == kFile) {
    line += " -r -F";
  } else if (!option.value_name.empty()) {
    line += " -x" + (values.empty() ? std::string() : " -a " + Quoted(values));
  }
  std::string help(option.help);
  for (size_t at = 0; (at = help.find('\\', at)) != std::string::npos; at += 2) {
    help.insert(at, "\\");
  }
  return line + " -d " + Quoted(help) + "\n";
}

}  // namespace

std::string FishCompletion() {
  std::string all =
      "# fish completion for kvctl; printed by: kvctl completion fish\n"
      "complete -c kvctl -f\n";
  for (const Option& option : GlobalOptions()) all += FishOption(option, "");
  all +=
      "complete -c kvctl -n __fish_use_subcommand -a help -d 'the text of a verb'\n"
      "complete -c kvctl -n '__fish_seen_subcommand_from help' -a " +
      Quoted(VerbNames()) + "\n";
  ForEachCommand([&](const Command& command) {
    const std::string name(command.name);
    const std::string seen = " -n '__fish_seen_subcommand_from " + name + "'";
    all += "complete -c kvctl -n __fish_use_subcommand -a " + name + " -d " +
           Quoted(command.summary) + "\n";
    for (const Option& option : command.options) all += FishOption(option, seen);
    const std::string words =
        command.argument_names == kVerb ? VerbNames() : ValuesOf(command.argument_names);
    if (command.argument_names == kFile) all += "complete -c kvctl" + seen + " -F\n";
    if (!words.empty()) all += "complete -c kvctl" + seen + " -a " + Quoted(words) + "\n";
  });
  return all;
}

}  // namespace kvstore::kvctl
