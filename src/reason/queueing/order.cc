#include "reason/queueing/order.h"

#include "base/assert.h"
#include "reason/queueing/fifo.h"
#include "reason/queueing/gyre.h"
#include "reason/queueing/priority.h"
#include "reason/queueing/qssf.h"
#include "reason/queueing/sjf.h"
#include "reason/queueing/srtf.h"
#include "reason/queueing/tiresias.h"

namespace gyre::reason {

const Order& order_of(PolicySpec::Order order) {
  static const Fifo kFifo;
  static const Priority kPriority;
  static const Sjf kSjf;
  static const Srtf kSrtf;
  static const Qssf kQssf;
  static const Tiresias kTiresias;
  static const Gyre kGyre;
  switch (order) {
    case PolicySpec::Order::Fifo:
      return kFifo;
    case PolicySpec::Order::Priority:
      return kPriority;
    case PolicySpec::Order::Sjf:
      return kSjf;
    case PolicySpec::Order::Srtf:
      return kSrtf;
    case PolicySpec::Order::Qssf:
      return kQssf;
    case PolicySpec::Order::Tiresias:
      return kTiresias;
    case PolicySpec::Order::Gyre:
      return kGyre;
  }
  GYRE_ASSERT(false);
  return kFifo;
}

}  // namespace gyre::reason
