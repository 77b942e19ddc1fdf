#include "native/options.h"

#include <pybind11/stl.h>

#include <cmath>
#include <string>
#include <utility>

#include "native/errors.h"
#include "native/keys.h"

namespace py = pybind11;

namespace kvstore::python {
namespace {

Placement PlacementOf(const std::string& name) {
  if (name == "local_first") return Placement::kLocalFirst;
  if (name == "spread") return Placement::kSpread;
  if (name == "this_host") return Placement::kThisHost;
  Raise(InvalidArgumentError("the placement is '" + name +
                             "'; it is local_first, spread or this_host"));
}

PutOptions MakePutOptions(bool replace, uint32_t replicas, const std::string& placement,
                          std::vector<std::string> preferred_nodes, bool durable, bool hard_pin,
                          double soft_pin, double ttl, py::handle group, bool check_source) {
  PutOptions options;
  options.replace = replace;
  options.replicas = replicas;
  options.placement = PlacementOf(placement);
  options.preferred_nodes = std::move(preferred_nodes);
  options.durable = durable;
  options.hard_pin = hard_pin;
  options.soft_pin = DurationOf(soft_pin);
  options.ttl = DurationOf(ttl);
  options.group = KeyOf(group);
  options.check_source = check_source;
  return options;
}

}  // namespace

Duration DurationOf(double seconds) {
  constexpr double kLongest = 9.2e9;
  if (std::isnan(seconds)) Raise(InvalidArgumentError("a time is not a number of seconds"));
  if (seconds >= kLongest) return Duration::max();
  if (seconds <= -kLongest) return Duration::min();
  return std::chrono::duration_cast<Duration>(std::chrono::duration<double>(seconds));
}

double SecondsOf(Duration duration) { return std::chrono::duration<double>(duration).count(); }

PutOptions PutOptionsOf(py::handle options, double timeout) {
  PutOptions made = options.is_none() ? PutOptions() : options.cast<const PutOptions&>();
  made.timeout = DurationOf(timeout);
  return made;
}

void BindPutOptions(py::module_& module) {
  py::class_<PutOptions>(module, "PutOptions").def(py::init(&MakePutOptions));
}

}  // namespace kvstore::python
