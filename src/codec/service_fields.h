#pragma once

#include <array>
#include <string_view>
#include <tuple>

#include "codec/field.h"
#include "domain/command.h"
#include "domain/event.h"
#include "domain/service.h"

/// The recorded types of services; see fields.h.
namespace gyre::codec {

template <>
struct EnumNames<Probe::Kind> {
  static constexpr std::array<std::string_view, 5> list{"tcp", "http", "log", "exec", "heartbeat"};
};
template <>
struct EnumNames<ReplicaHealth> {
  static constexpr std::array<std::string_view, 4> list{"ready", "not_ready", "dead", "drained"};
};
template <>
struct EnumNames<Replica::Phase> {
  static constexpr std::array<std::string_view, 4> list{"serving", "draining", "stopping",
                                                        "frozen"};
};
template <>
struct Fields<Probe> {
  static constexpr std::tuple list{Field{"kind", &Probe::kind},
                                   Field{"path", &Probe::path},
                                   Field{"pattern", &Probe::pattern},
                                   Field{"command", &Probe::command},
                                   Field{"interval", &Probe::interval},
                                   Field{"period", &Probe::period},
                                   Field{"timeout", &Probe::timeout},
                                   Field{"failure_threshold", &Probe::failure_threshold},
                                   Field{"success_threshold", &Probe::success_threshold}};
};
template <>
struct Fields<ReplicaCount> {
  static constexpr std::tuple list{Field{"min", &ReplicaCount::min},
                                   Field{"max", &ReplicaCount::max},
                                   Field{"target_in_flight", &ReplicaCount::target_in_flight},
                                   Field{"scale_down_after", &ReplicaCount::scale_down_after},
                                   Field{"idle", &ReplicaCount::idle},
                                   Field{"target_queue_time", &ReplicaCount::target_queue_time},
                                   Field{"target_gpu_activity", &ReplicaCount::target_gpu_activity},
                                   Field{"frozen_max", &ReplicaCount::frozen_max}};
};
template <>
struct Fields<RequestLimits> {
  static constexpr std::tuple list{Field{"queue_max", &RequestLimits::queue_max},
                                   Field{"queue_timeout", &RequestLimits::queue_timeout},
                                   Field{"in_flight_max", &RequestLimits::in_flight_max},
                                   Field{"silence_max", &RequestLimits::silence_max}};
};
template <>
struct Fields<Rollout> {
  static constexpr std::tuple list{Field{"progress_deadline", &Rollout::progress_deadline},
                                   Field{"crashes_max", &Rollout::crashes_max},
                                   Field{"drain", &Rollout::drain}};
};
template <>
struct Fields<ServiceSpec> {
  static constexpr std::tuple list{
      Field{"replica", &ServiceSpec::replica},     Field{"replicas", &ServiceSpec::replicas},
      Field{"requests", &ServiceSpec::requests},   Field{"startup", &ServiceSpec::startup},
      Field{"readiness", &ServiceSpec::readiness}, Field{"liveness", &ServiceSpec::liveness},
      Field{"rollout", &ServiceSpec::rollout}};
};
template <>
struct Fields<Replica> {
  static constexpr std::tuple list{
      Field{"job", &Replica::job},         Field{"revision", &Replica::revision},
      Field{"phase", &Replica::phase},     Field{"running", &Replica::running},
      Field{"attempt", &Replica::attempt}, Field{"ready", &Replica::ready},
      Field{"fault", &Replica::fault},     Field{"drain_until", &Replica::drain_until}};
};
template <>
struct Fields<Scale> {
  static constexpr std::tuple list{Field{"wanted", &Scale::wanted},
                                   Field{"surplus_since", &Scale::surplus_since},
                                   Field{"surplus_peak", &Scale::surplus_peak}};
};
template <>
struct Fields<Service> {
  static constexpr std::tuple list{Field{"spec", &Service::spec},
                                   Field{"revision", &Service::revision},
                                   Field{"last_revision", &Service::last_revision},
                                   Field{"previous", &Service::previous},
                                   Field{"previous_revision", &Service::previous_revision},
                                   Field{"progress_at", &Service::progress_at},
                                   Field{"crashes", &Service::crashes},
                                   Field{"deleted", &Service::deleted},
                                   Field{"scale", &Service::scale},
                                   Field{"served", &Service::served},
                                   Field{"in_flight_milli", &Service::in_flight_milli},
                                   Field{"queued", &Service::queued},
                                   Field{"waited", &Service::waited},
                                   Field{"gpu_ppm", &Service::gpu_ppm},
                                   Field{"asked_by_waits", &Service::asked_by_waits},
                                   Field{"asked_by_gpus", &Service::asked_by_gpus},
                                   Field{"hold_until", &Service::hold_until},
                                   Field{"notice", &Service::notice},
                                   Field{"replicas", &Service::replicas}};
};
template <>
struct Fields<ServiceApplied> {
  static constexpr std::tuple list{Field{"spec", &ServiceApplied::spec}};
};
template <>
struct Fields<ServiceDeleted> {
  static constexpr std::tuple list{Field{"service", &ServiceDeleted::service}};
};
template <>
struct Fields<ServiceLoadSeen> {
  static constexpr std::tuple list{Field{"service", &ServiceLoadSeen::service},
                                   Field{"in_flight_milli", &ServiceLoadSeen::in_flight_milli},
                                   Field{"queued", &ServiceLoadSeen::queued},
                                   Field{"waited", &ServiceLoadSeen::waited},
                                   Field{"gpu_ppm", &ServiceLoadSeen::gpu_ppm}};
};
template <>
struct Fields<ReplicaProbed> {
  static constexpr std::tuple list{
      Field{"job", &ReplicaProbed::job}, Field{"attempt", &ReplicaProbed::attempt},
      Field{"health", &ReplicaProbed::health}, Field{"detail", &ReplicaProbed::detail}};
};
template <>
struct Fields<FreezeGang> {
  static constexpr std::tuple list{Field{"job", &FreezeGang::job},
                                   Field{"attempt", &FreezeGang::attempt},
                                   Field{"frozen", &FreezeGang::frozen}};
};
template <>
struct TypeName<FreezeGang> {
  static constexpr std::string_view value = "freeze_gang";
};
template <>
struct TypeName<ServiceApplied> {
  static constexpr std::string_view value = "service_applied";
};
template <>
struct TypeName<ServiceDeleted> {
  static constexpr std::string_view value = "service_deleted";
};
template <>
struct TypeName<ServiceLoadSeen> {
  static constexpr std::string_view value = "service_load_seen";
};
template <>
struct TypeName<ReplicaProbed> {
  static constexpr std::string_view value = "replica_probed";
};

}  // namespace gyre::codec
