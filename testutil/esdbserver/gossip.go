package esdbserver

import (
	"context"
	"encoding/binary"

	"github.com/EventStore/EventStore-Client-Go/v4/protos/gossip"
	"github.com/EventStore/EventStore-Client-Go/v4/protos/serverfeatures"
	"github.com/EventStore/EventStore-Client-Go/v4/protos/shared"

	"sandglass/testutil/esdbserver/eventlog"
)

// Version is what the server says that it is.
const Version = "23.10.7"

// features answers what a client asks first on each connection.
type features struct {
	serverfeatures.UnimplementedServerFeaturesServer
}

// GetSupportedMethods implements [serverfeatures.ServerFeaturesServer].
func (features) GetSupportedMethods(context.Context, *shared.Empty) (*serverfeatures.SupportedMethods, error) {
	method := func(name string, features ...string) *serverfeatures.SupportedMethod {
		return &serverfeatures.SupportedMethod{
			MethodName: name, ServiceName: "event_store.client.streams.streams", Features: features,
		}
	}
	return &serverfeatures.SupportedMethods{
		EventStoreServerVersion: Version,
		Methods: []*serverfeatures.SupportedMethod{
			method("read", "position", "events"), method("append"), method("delete"), method("tombstone"),
		},
	}, nil
}

// gossiper tells the members of the cluster, as every node knows them.
type gossiper struct {
	gossip.UnimplementedGossipServer
	cluster *Cluster
}

// Read implements [gossip.GossipServer].
func (g gossiper) Read(context.Context, *shared.Empty) (*gossip.ClusterInfo, error) {
	leader := g.cluster.Leader()
	info := &gossip.ClusterInfo{}
	for i, n := range g.cluster.nodes {
		state := gossip.MemberInfo_Follower
		if i == leader && !g.cluster.faults.vote.Load() {
			state = gossip.MemberInfo_Leader
		}
		info.Members = append(info.Members, &gossip.MemberInfo{
			InstanceId: &shared.UUID{Value: &shared.UUID_Structured_{Structured: &shared.UUID_Structured{
				MostSignificantBits:  int64(binary.BigEndian.Uint64(n.id[:8])),
				LeastSignificantBits: int64(binary.BigEndian.Uint64(n.id[8:])),
			}}},
			TimeStamp:    eventlog.Ticks(g.cluster.options.Now()),
			State:        state,
			IsAlive:      n.alive(),
			HttpEndPoint: &gossip.EndPoint{Address: n.host, Port: uint32(n.port)},
		})
	}
	return info, nil
}
