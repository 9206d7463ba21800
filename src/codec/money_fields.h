#pragma once

#include <tuple>

#include "codec/field.h"
#include "domain/idle.h"
#include "domain/price.h"

/// The part of fields.h that is about what is held, what it costs, and who makes no use of it; the
/// same rules hold.
namespace gyre::codec {

template <>
struct Fields<PriceList::Model> {
  static constexpr std::tuple list{Field{"model", &PriceList::Model::model},
                                   Field{"gpu_hour", &PriceList::Model::gpu_hour}};
};
template <>
struct Fields<PriceList> {
  static constexpr std::tuple list{
      Field{"gpu_hour", &PriceList::gpu_hour}, Field{"models", &PriceList::models},
      Field{"cpu_hour", &PriceList::cpu_hour}, Field{"memory_hour", &PriceList::memory_hour}};
};
template <>
struct Fields<PriceChange> {
  static constexpr std::tuple list{Field{"from", &PriceChange::from},
                                   Field{"prices", &PriceChange::prices}};
};
template <>
struct Fields<HeldTime> {
  static constexpr std::tuple list{Field{"job", &HeldTime::job},
                                   Field{"tenant", &HeldTime::tenant},
                                   Field{"queue", &HeldTime::queue},
                                   Field{"gpu_model", &HeldTime::gpu_model},
                                   Field{"gpu_milli", &HeldTime::gpu_milli},
                                   Field{"cpu", &HeldTime::cpu},
                                   Field{"memory", &HeldTime::memory},
                                   Field{"from", &HeldTime::from},
                                   Field{"to", &HeldTime::to}};
};
template <>
struct Fields<Charge> {
  static constexpr std::tuple list{Field{"amount", &Charge::amount},
                                   Field{"gpu_us", &Charge::gpu_us}};
};
template <>
struct Fields<JobCharge> {
  static constexpr std::tuple list{Field{"job", &JobCharge::job},
                                   Field{"charge", &JobCharge::charge}};
};
template <>
struct Fields<HourCharge> {
  static constexpr std::tuple list{
      Field{"hour", &HourCharge::hour}, Field{"tenant", &HourCharge::tenant},
      Field{"queue", &HourCharge::queue}, Field{"charge", &HourCharge::charge}};
};
template <>
struct Fields<LedgerState> {
  static constexpr std::tuple list{
      Field{"prices", &LedgerState::prices}, Field{"held", &LedgerState::held},
      Field{"jobs", &LedgerState::jobs}, Field{"hours", &LedgerState::hours},
      Field{"forgotten", &LedgerState::forgotten}};
};

template <>
struct Fields<IdleSpec> {
  static constexpr std::tuple list{
      Field{"below_percent", &IdleSpec::below_percent}, Field{"window", &IdleSpec::window},
      Field{"grace", &IdleSpec::grace}, Field{"exempt", &IdleSpec::exempt}};
};
template <>
struct Fields<GpuUse> {
  static constexpr std::tuple list{
      Field{"job", &GpuUse::job},     Field{"attempt", &GpuUse::attempt},
      Field{"known", &GpuUse::known}, Field{"activity_ppm", &GpuUse::activity_ppm},
      Field{"by_sm", &GpuUse::by_sm}, Field{"over", &GpuUse::over}};
};
template <>
struct Fields<IdleWarning> {
  static constexpr std::tuple list{Field{"use", &IdleWarning::use}, Field{"at", &IdleWarning::at},
                                   Field{"stops_at", &IdleWarning::stops_at}};
};
template <>
struct Fields<IdleState> {
  static constexpr std::tuple list{Field{"spec", &IdleState::spec},
                                   Field{"warnings", &IdleState::warnings}};
};

}  // namespace gyre::codec
