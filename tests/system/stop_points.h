#ifndef KVSTORE_TESTS_SYSTEM_STOP_POINTS_H_
#define KVSTORE_TESTS_SYSTEM_STOP_POINTS_H_

#include <cstddef>
#include <string>
#include <vector>

namespace kvstore::cluster {

// A page that stops whoever touches it next, wherever in the library that is; or the end of a
// checksum that was computed while bytes were copied, before anybody has seen it.
struct StopPoint {
  void* page =
      nullptr;       // the start of a whole page that may be read and written; null: the checksum
  std::string said;  // a line for standard output; empty: it goes on without a word
};

// Arms the points one after the other, each when the one before it has been met: who gets there
// says the line and goes no further before a line has been read from standard input. So a
// process can be held in the midst of a copy, at the byte that one wants. The same page may be
// named twice, not in a row. One list at a time per process, whose lines live until
// DisarmStopPoints.
void ArmStopPoints(std::vector<StopPoint> points);

// None is armed any more; false: not all of them were met.
bool DisarmStopPoints();

// A line from standard input, without its end; also false when there is none. Reads not a byte
// more, so that the rest is there for a stop point.
bool ReadLine(std::string* line);

// Whole lines to standard output at once.
void SayLine(const std::string& line);

}  // namespace kvstore::cluster

#endif  // KVSTORE_TESTS_SYSTEM_STOP_POINTS_H_
