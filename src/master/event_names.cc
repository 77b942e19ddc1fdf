#include "master/event_names.h"

namespace kvstore::master {

std::string_view EventName(NodeEvent::What what) {
  switch (what) {
    case NodeEvent::What::kSuspected:
      return "node_suspected";
    case NodeEvent::What::kTrusted:
      return "node_trusted";
    case NodeEvent::What::kLeft:
      return "node_left";
    case NodeEvent::What::kGone:
      return "node_gone";
    case NodeEvent::What::kReported:
      return "node_reported";
    case NodeEvent::What::kSick:
      return "node_sick";
    case NodeEvent::What::kWell:
      return "node_well";
    case NodeEvent::What::kDraining:
      return "node_draining";
    case NodeEvent::What::kDrained:
      return "node_drained";
  }
  return "node_event";
}

std::string_view EventName(ObjectEvent::What what) {
  switch (what) {
    case ObjectEvent::What::kCommitted:
      return "committed";
    case ObjectEvent::What::kRemoved:
      return "removed";
    case ObjectEvent::What::kReplaced:
      return "replaced";
    case ObjectEvent::What::kEvictedForRoom:
      return "evicted_for_room";
    case ObjectEvent::What::kEvictedByWatermark:
      return "evicted_by_watermark";
    case ObjectEvent::What::kEvictedByOperator:
      return "evicted_by_operator";
    case ObjectEvent::What::kEvictedWithGroup:
      return "evicted_with_group";
    case ObjectEvent::What::kExpired:
      return "expired";
    case ObjectEvent::What::kLost:
      return "lost";
    case ObjectEvent::What::kPutAborted:
      return "put_aborted";
    case ObjectEvent::What::kPutExpired:
      return "put_expired";
    case ObjectEvent::What::kCopied:
      return "copied";
    case ObjectEvent::What::kMoved:
      return "moved";
    case ObjectEvent::What::kReplicaLost:
      return "replica_lost";
    case ObjectEvent::What::kPinned:
      return "pinned";
    case ObjectEvent::What::kUnpinned:
      return "unpinned";
  }
  return "object_event";
}

}  // namespace kvstore::master
