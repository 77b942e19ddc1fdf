#ifndef KVSTORE_TOOLS_TEXT_UNITS_H_
#define KVSTORE_TOOLS_TEXT_UNITS_H_

#include <cstdint>
#include <string>
#include <string_view>

#include "kvstore/clock.h"
#include "kvstore/result.h"

namespace kvstore::text {

// "4096", "64KiB", "64k", "1.5GB": bytes. Ki, Mi, Gi, Ti and the letters alone are powers of 1024,
// as they are where memory is measured; KB, MB, GB, TB are powers of 1000. invalid_argument
// otherwise.
Result<uint64_t> ParseBytes(std::string_view text);
// "500ms", "5s", "2m", "1h"; a number alone counts seconds. Greater than 0, at most a day.
Result<Duration> ParseDuration(std::string_view text);
// A whole decimal number within [least, most].
Result<uint64_t> ParseNumber(std::string_view text, uint64_t least, uint64_t most);

// "0 B", "4.0 KiB", "1.5 GiB".
std::string FormatBytes(uint64_t bytes);
// "0 s", "12 us", "3.4 ms", "5.0 s", "2 m 03 s", "4 h 05 m", "3 d 04 h".
std::string FormatDuration(Duration duration);

}  // namespace kvstore::text

#endif  // KVSTORE_TOOLS_TEXT_UNITS_H_
