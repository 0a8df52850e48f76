package main

import (
	"context"
	"sync"
	"time"

	"github.com/container-storage-interface/spec/lib/go/csi"
	"google.golang.org/grpc/codes"
	"google.golang.org/grpc/status"
	"google.golang.org/protobuf/types/known/timestamppb"
)

type controller struct {
	csi.UnimplementedControllerServer
	node               string
	volumes, snapshots store
	lock               sync.Mutex // a call that is repeated must not overtake the first one
}

func (c *controller) ControllerGetCapabilities(context.Context, *csi.ControllerGetCapabilitiesRequest) (*csi.ControllerGetCapabilitiesResponse, error) {
	answer := &csi.ControllerGetCapabilitiesResponse{}
	for _, each := range []csi.ControllerServiceCapability_RPC_Type{
		csi.ControllerServiceCapability_RPC_CREATE_DELETE_VOLUME,
		csi.ControllerServiceCapability_RPC_CREATE_DELETE_SNAPSHOT,
		csi.ControllerServiceCapability_RPC_LIST_SNAPSHOTS,
	} {
		answer.Capabilities = append(answer.Capabilities, &csi.ControllerServiceCapability{
			Type: &csi.ControllerServiceCapability_Rpc{Rpc: &csi.ControllerServiceCapability_RPC{Type: each}},
		})
	}
	return answer, nil
}

func (c *controller) ValidateVolumeCapabilities(_ context.Context, request *csi.ValidateVolumeCapabilitiesRequest) (*csi.ValidateVolumeCapabilitiesResponse, error) {
	confirmed := &csi.ValidateVolumeCapabilitiesResponse_Confirmed{VolumeCapabilities: request.VolumeCapabilities}
	return &csi.ValidateVolumeCapabilitiesResponse{Confirmed: confirmed}, nil
}

func (c *controller) CreateVolume(_ context.Context, request *csi.CreateVolumeRequest) (*csi.CreateVolumeResponse, error) {
	c.lock.Lock()
	defer c.lock.Unlock()
	bytes := request.GetCapacityRange().GetRequiredBytes()
	if _, exists := c.volumes.get(request.Name); !exists {
		from := ""
		if id := request.GetVolumeContentSource().GetSnapshot().GetSnapshotId(); id != "" {
			snapshot, known := c.snapshots.get(id)
			if !known {
				return nil, status.Errorf(codes.NotFound, "there is no snapshot %s", id)
			}
			if bytes < snapshot.Bytes {
				return nil, status.Errorf(codes.OutOfRange, "%d bytes are less than the snapshot's %d", bytes, snapshot.Bytes)
			}
			from = c.snapshots.files(id)
		} else if request.GetVolumeContentSource() != nil {
			return nil, status.Error(codes.InvalidArgument, "a volume can be made of a snapshot only")
		}
		if err := c.volumes.create(request.Name, from, object{Bytes: bytes, Created: time.Now()}); err != nil {
			return nil, status.Error(codes.Internal, err.Error())
		}
	}
	return &csi.CreateVolumeResponse{Volume: &csi.Volume{
		VolumeId:           request.Name,
		CapacityBytes:      bytes,
		ContentSource:      request.VolumeContentSource,
		AccessibleTopology: []*csi.Topology{topology(c.node)},
	}}, nil
}

func (c *controller) DeleteVolume(_ context.Context, request *csi.DeleteVolumeRequest) (*csi.DeleteVolumeResponse, error) {
	c.lock.Lock()
	defer c.lock.Unlock()
	return &csi.DeleteVolumeResponse{}, c.volumes.remove(request.VolumeId)
}

// CreateSnapshot copies the files while whoever uses the volume goes on: consistent only where nobody writes.
func (c *controller) CreateSnapshot(_ context.Context, request *csi.CreateSnapshotRequest) (*csi.CreateSnapshotResponse, error) {
	c.lock.Lock()
	defer c.lock.Unlock()
	snapshot, exists := c.snapshots.get(request.Name)
	if exists && snapshot.Source != request.SourceVolumeId {
		return nil, status.Errorf(codes.AlreadyExists, "%s is a snapshot of %s", request.Name, snapshot.Source)
	}
	if !exists {
		volume, known := c.volumes.get(request.SourceVolumeId)
		if !known {
			return nil, status.Errorf(codes.NotFound, "there is no volume %s", request.SourceVolumeId)
		}
		snapshot = object{Source: request.SourceVolumeId, Bytes: volume.Bytes, Created: time.Now()}
		if err := c.snapshots.create(request.Name, c.volumes.files(request.SourceVolumeId), snapshot); err != nil {
			return nil, status.Error(codes.Internal, err.Error())
		}
	}
	return &csi.CreateSnapshotResponse{Snapshot: described(request.Name, snapshot)}, nil
}

func (c *controller) DeleteSnapshot(_ context.Context, request *csi.DeleteSnapshotRequest) (*csi.DeleteSnapshotResponse, error) {
	c.lock.Lock()
	defer c.lock.Unlock()
	return &csi.DeleteSnapshotResponse{}, c.snapshots.remove(request.SnapshotId)
}

func (c *controller) ListSnapshots(_ context.Context, request *csi.ListSnapshotsRequest) (*csi.ListSnapshotsResponse, error) {
	ids, err := c.snapshots.ids()
	if err != nil {
		return nil, status.Error(codes.Internal, err.Error())
	}
	answer := &csi.ListSnapshotsResponse{}
	for _, id := range ids {
		snapshot, exists := c.snapshots.get(id)
		asked := (request.SnapshotId == "" || request.SnapshotId == id) &&
			(request.SourceVolumeId == "" || request.SourceVolumeId == snapshot.Source)
		if exists && asked {
			answer.Entries = append(answer.Entries, &csi.ListSnapshotsResponse_Entry{Snapshot: described(id, snapshot)})
		}
	}
	return answer, nil
}

func described(id string, snapshot object) *csi.Snapshot {
	return &csi.Snapshot{
		SnapshotId:     id,
		SourceVolumeId: snapshot.Source,
		SizeBytes:      snapshot.Bytes,
		CreationTime:   timestamppb.New(snapshot.Created),
		ReadyToUse:     true,
	}
}
