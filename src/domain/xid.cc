#include "domain/xid.h"

#include <algorithm>
#include <array>

namespace gyre {
namespace {

enum class Class : std::uint8_t { App, Dev, Info };
using enum Class;

struct Row {
  std::int32_t xid;
  Class what;
  std::string_view description;
  std::string_view action;
};

// Facts of NVIDIA's Xid catalogue (A100 and newer), as leptonai/gpud (Apache-2.0, commit 4a8de33a)
// holds them; descriptions cut, entries that it calls unused left out. App: the immediate action is
// to restart the application. Info: it is to do nothing. Dev: all others.
constexpr std::array<Row, 109> kRows{{
    {8, App, "GPU stopped processing", "RESTART_APP"},
    {11, App, "Invalid or corrupted push buffer stream", "RESTART_APP"},
    {13, App, "Graphics Engine Exception", "RESTART_APP"},
    {25, App, "Invalid or illegal push buffer stream", "RESTART_APP"},
    {31, App, "GPU memory page fault", "RESTART_APP"},
    {32, App, "Invalid or corrupted push buffer stream", "RESTART_APP"},
    {37, Info, "Driver firmware error", "IGNORE"},
    {38, Info, "Driver firmware error", "IGNORE"},
    {39, App, "Copy Engine Exception", "RESTART_APP"},
    {40, App, "Copy Engine Exception", "RESTART_APP"},
    {41, App, "Copy Engine Exception", "RESTART_APP"},
    {43, Info, "GPU stopped processing", "IGNORE"},
    {44, Info, "Graphics Engine fault during context switch", "IGNORE"},
    {45, App, "Preemptive cleanup, due to previous errors", "WORKFLOW_XID_45"},
    {46, Dev, "GPU stopped processing", "RESET_GPU"},
    {48, Dev, "Double Bit ECC Error", "WORKFLOW_XID_48"},
    {54, Dev, "Auxiliary power is not connected to the GPU board", "CHECK_MECHANICALS"},
    {60, App, "Video processor exception", "RESTART_APP"},
    {62, Dev, "Internal micro-controller halt (newer drivers)", "RESET_GPU"},
    {63, Info, "GPU memory remapping event", "IGNORE"},
    {64, Dev, "GPU memory remapping failure", "RESET_GPU"},
    {66, Info, "Illegal access by driver", "IGNORE"},
    {67, Info, "Illegal access by driver", "IGNORE"},
    {68, App, "NVDEC0 Exception", "RESTART_APP"},
    {69, App, "Graphics Engine class error", "RESTART_APP"},
    {70, App, "CE3: Unknown Error", "RESTART_APP"},
    {71, App, "CE4: Unknown Error", "RESTART_APP"},
    {72, App, "CE5: Unknown Error", "RESTART_APP"},
    {74, Dev, "NVLINK Error", "WORKFLOW_NVLINK_ERR"},
    {75, App, "CE6: Unknown Error", "RESTART_APP"},
    {76, App, "CE7: Unknown Error", "RESTART_APP"},
    {77, App, "CE8: Unknown Error", "RESTART_APP"},
    {78, Dev, "vGPU Start Error", "UPDATE_SWFW"},
    {79, Dev, "GPU has fallen off the bus", "RESTART_BM"},
    {80, App, "Corrupted data sent to GPU", "RESTART_APP"},
    {82, App, "NVJPG0 Error", "RESTART_APP"},
    {83, App, "NVDEC1 Error", "RESTART_APP"},
    {84, App, "NVDEC2 Error", "RESTART_APP"},
    {85, App, "CE9: Unknown Error", "RESTART_APP"},
    {86, App, "OFA Exception", "RESTART_APP"},
    {88, App, "NVDEC3 Error", "RESTART_APP"},
    {89, App, "NVDEC4 Error", "RESTART_APP"},
    {92, Info, "High single-bit ECC error rate", "IGNORE"},
    {93, Info, "Non-fatal violation of provisioned InfoROM wear limit", "IGNORE"},
    {94, App, "Contained memory error", "RESTART_APP"},
    {95, Dev, "Uncontained memory error", "RESET_GPU"},
    {96, App, "NVDEC5 Error", "RESTART_APP"},
    {97, App, "NVDEC6 Error", "RESTART_APP"},
    {98, App, "NVDEC7 Error", "RESTART_APP"},
    {99, App, "NVJPG1 Error", "RESTART_APP"},
    {100, App, "NVJPG2 Error", "RESTART_APP"},
    {101, App, "NVJPG3 Error", "RESTART_APP"},
    {102, App, "NVJPG4 Error", "RESTART_APP"},
    {103, App, "NVJPG5 Error", "RESTART_APP"},
    {104, App, "NVJPG6 Error", "RESTART_APP"},
    {105, App, "NVJPG7 Error", "RESTART_APP"},
    {106, Info, "SMBPBI Test Message", "IGNORE"},
    {107, Info, "SMBPBI Test Message Silent", "IGNORE"},
    {109, Dev, "Context Switch Timeout Error", "RESET_GPU"},
    {110, Dev, "Security Fault Error", "RESET_GPU"},
    {119, Dev, "GSP RPC Timeout", "RESET_GPU"},
    {120, Dev, "GSP Error", "RESET_GPU"},
    {121, Info, "C2C Error", "IGNORE"},
    {126, App, "CE10: Unknown Error", "RESTART_APP"},
    {127, App, "CE11: Unknown Error", "RESTART_APP"},
    {128, App, "CE12: Unknown Error", "RESTART_APP"},
    {129, App, "CE13: Unknown Error", "RESTART_APP"},
    {130, App, "CE14: Unknown Error", "RESTART_APP"},
    {131, App, "CE15: Unknown Error", "RESTART_APP"},
    {132, App, "CE16: Unknown Error", "RESTART_APP"},
    {133, App, "CE17: Unknown Error", "RESTART_APP"},
    {134, App, "CE18: Unknown Error", "RESTART_APP"},
    {135, App, "CE19: Unknown Error", "RESTART_APP"},
    {136, Dev, "Link Training Failed", "RESET_GPU"},
    {137, Info, "NVLink Privilege Error", "IGNORE"},
    {139, App, "OFA1 Error", "RESTART_APP"},
    {140, Dev, "ECC Unrecovered Error", "RESET_GPU"},
    {141, Info, "CUDA Fast Path Error", "IGNORE"},
    {142, Dev, "NVENC3 Error", "CONTACT_SUPPORT"},
    {143, Dev, "GPU Initialization Error", "RESET_GPU"},
    {144, Dev, "NVLINK: SAW Error", "WORKFLOW_NVLINK5_ERR"},
    {145, Dev, "NVLINK: RLW Error", "WORKFLOW_NVLINK5_ERR"},
    {146, Dev, "NVLINK: TLW Error", "WORKFLOW_NVLINK5_ERR"},
    {147, Dev, "NVLINK: TREX Error", "WORKFLOW_NVLINK5_ERR"},
    {148, Dev, "NVLINK: NVLPW_CTRL Error", "WORKFLOW_NVLINK5_ERR"},
    {149, Dev, "NVLINK: NETIR Error", "WORKFLOW_NVLINK5_ERR"},
    {150, Dev, "NVLINK: MSE Error", "WORKFLOW_NVLINK5_ERR"},
    {151, Dev, "Key rotation Error", "RESTART_VM"},
    {152, Info, "DLA SMMU Error", "IGNORE"},
    {153, Info, "DLA timeout Error", "IGNORE"},
    {154, Info, "GPU Recovery Action Changed", "XID_154"},
    {155, Dev, "NVLINK: SW Defined Error", "RESET_GPU"},
    {156, Dev, "Resource Retirement Event", "RESET_GPU"},
    {157, Info, "Resource Retirement Failure", "IGNORE"},
    {158, Dev, "GPU Fatal Timeout", "RESET_GPU"},
    {159, App, "CHI Non-Data Error", "CHECK_UVM"},
    {160, Info, "Channel Retirement Event", "IGNORE"},
    {161, Info, "Channel Retirement Failure", "IGNORE"},
    {162, Info, "Power Smoothing HW Circuitry capability reengaged", ""},
    {163, Info, "Power Smoothing HW Circuitry capability disengaged", ""},
    {164, Info, "Power Smoothing HW Circuitry low lifetime reached", ""},
    {165, Info, "Power Smoothing HW Circuitry lifetime exhausted", ""},
    {166, Info, "CC traffic seen prior to link properly being configured for ", ""},
    {167, Info, "PCIE_FATAL_TIMEOUT", ""},
    {168, Info, "Errors found in WPR (write protected region)", ""},
    {169, Info, "Internal micro-controller halt", ""},
    {170, Info, "Interrupt seen in CC mode", ""},
    {171, Info, "Additional to Xid 48 providing more details on particulars o", ""},
    {172, Info, "Additional to Xid 48 providing more details on particulars o", ""},
}};

}  // namespace

XidMeaning meaning_of_xid(std::int32_t xid) {
  const auto row =
      std::lower_bound(kRows.begin(), kRows.end(), xid,
                       [](const Row& one, std::int32_t wanted) { return one.xid < wanted; });
  if (row == kRows.end() || row->xid != xid) {
    return {xid, Symptom::UnknownGpuError, false, "not in the catalogue", ""};
  }
  const Symptom symptom = row->what == Dev ? Symptom::DeviceFault : Symptom::ApplicationFault;
  return {xid, symptom, row->what == Info, row->description, row->action};
}

}  // namespace gyre
